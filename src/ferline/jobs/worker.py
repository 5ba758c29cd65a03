"""One process of several that train together: what torchrun starts as `python -m ferline.jobs.worker JOB`."""

import json
import sys
from pathlib import Path
from typing import Any

import torch.distributed as dist

from ferline.errors import FerlineError, Preempted
from ferline.jobs.job import Job
from ferline.jobs.orphans import die_with_parent
from ferline.training.loop import train
from ferline.training.memory import SmallerError
from ferline.training.processes import Processes


def main(folder: str) -> None:
    die_with_parent()
    job, processes = Job(Path(folder)), Processes.joined()
    if job.done:
        return
    if job.refused:  # torchrun starts anything again; what only the user can put right would end as it did before
        sys.exit(1)
    job.started(processes.rank)

    def show(record: dict[str, Any]) -> None:
        if processes.first:
            with job.records.open("a") as file:
                print(json.dumps(record), file=file, flush=True)

    try:
        train(**job.arguments(), processes=processes, on_epoch=show)
    except SmallerError as error:
        job.lower(error.at_once)
        job.failed(processes.rank, "memory", error)
        raise
    except Preempted as error:
        job.failed(processes.rank, "preempted", error)
        sys.exit(error.exit_code)
    except FerlineError as error:
        job.failed(processes.rank, "refused", error)
        sys.exit(1)
    except Exception as error:
        job.failed(processes.rank, "died", error)
        raise
    if dist.is_initialized():
        dist.destroy_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
