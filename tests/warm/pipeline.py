"""What a run of the pipeline imports, and a pod, before anything of its own. Nothing here reads what a test sets."""

import importlib

from sqlalchemy.orm import configure_mappers
from zenml.integrations.registry import integration_registry
from zenml.stack.flavor_registry import FlavorRegistry

import warm.libraries  # noqa: F401

CLIENTS = ("great_expectations", "s3fs", "boto3", "kubernetes", "zenml.client", "zenml.cli.cli")
STORES = ("zenml.zen_stores.sql_zen_store", "zenml.entrypoints.step_entrypoint_configuration")
for name in (*CLIENTS, *STORES):
    importlib.import_module(name)
integration_registry.activate_integrations()
registry = FlavorRegistry()
for flavor in registry.builtin_flavors + registry.integration_flavors:
    _ = flavor().config_class  # a new store of ZenML's lists all of them, and each is a module
configure_mappers()
