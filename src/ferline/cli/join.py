"""`ferline join`: this machine takes part in the trainings of another."""

import time
from pathlib import Path

import click

from ferline.cli.said import told
from ferline.errors import FerlineError

LOOK = 1.0  # seconds between looks for a job


@click.command()
@click.argument("jobs", type=click.Path(path_type=Path))
@click.option("--once", is_flag=True, help="Take part in one training, then end.")
@told
def join(jobs: Path, once: bool) -> None:
    """Take part in the trainings that the first machine puts into JOBS, a folder that both see; Ctrl-C ends it.

    JOBS is .ferline/jobs of the first machine's checkout, on a shared disk; compute.nodes says how many machines train.
    """
    from ferline.jobs.job import Job
    from ferline.jobs.launch import run

    click.echo(f"Waiting for a training in {jobs}")
    while True:
        for job in Job.open_in(jobs):
            click.echo(f"Taking part in {job.folder.name}")
            try:
                status = run(job, joining=True)
            except (FerlineError, FileNotFoundError):
                if job.open:
                    raise
                continue  # it was over between the look and now
            click.echo(f"{job.folder.name}: " + ("done" if status == 0 else f"ended with exit status {status}"))
            job.wait_until_closed()
            if once:
                raise SystemExit(status)
        time.sleep(LOOK)
