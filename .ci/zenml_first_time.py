"""What a new ZenML server needs before a runner can use it: `python zenml_first_time.py ARTIFACT_FOLDER RUNNER_ENV`.

What a runner must set is appended to the second file; standard output is full of what ZenML has to say.

In commands: zenml service-account create runner --create-api-key false; zenml service-account api-key runner create
retraining; zenml artifact-store register shared --flavor=local --path=FOLDER; zenml stack register shared
--orchestrator=default --artifact-store=shared.
"""

import sys
import uuid
from pathlib import Path

from zenml.client import Client
from zenml.enums import StackComponentType

artifacts, runner_env = sys.argv[1:]
client = Client()
for old in client.list_service_accounts(name="runner"):  # of a first time that did not come to its end
    client.delete_service_account(old.id)
for old in client.list_stacks(name="shared"):
    client.delete_stack(old.id, recursive=False)
for old in client.list_stack_components(name="shared", type=StackComponentType.ARTIFACT_STORE):
    client.delete_stack_component(old.id, StackComponentType.ARTIFACT_STORE)

client.create_service_account("runner", description="retraining in CI")
key = client.create_api_key("runner", "retraining")
store = client.create_stack_component("shared", "local", StackComponentType.ARTIFACT_STORE, {"path": artifacts})
parts = {StackComponentType.ARTIFACT_STORE: store.id, StackComponentType.ORCHESTRATOR: "default"}
stack = client.create_stack("shared", parts)
with Path(runner_env).open("a") as file:
    file.write(f"ZENML_STORE_API_KEY={key.key}\n")
    file.write(f"ZENML_ACTIVE_STACK_ID={stack.id}\n")
    # ZenML's cache serves a store that is a folder only to the client that filled it, so all runners are one client.
    file.write(f"ZENML_USER_ID={uuid.uuid4()}\n")
