"""`ferline bench`: how fast training is on this machine, and beside what."""

import json
from pathlib import Path

import click

from ferline.cli.said import told


@click.command()
@click.option("--architecture", "names", multiple=True, help="A row of params.yaml; several times for several. All.")
@click.option("--side", type=int, help="Input pixels; default: each architecture's own.")
@click.option("--batch", type=int, help="Images a step; default: each architecture's own.")
@click.option("--faces", "count", default=2048, show_default=True, help="Training faces, of noise.")
@click.option("--seconds", default=5.0, show_default=True, help="Of each measurement.")
@click.option("--rounds", default=3, show_default=True, help="Measurements of each contender, in turn.")
@click.option("--no-plain", is_flag=True, help="Without the plain PyTorch loop, which takes longest.")
@click.option("--json", "file", type=click.Path(path_type=Path), help="Write the figures there too.")
@told
def bench(
    names: tuple[str, ...],
    side: int | None,
    batch: int | None,
    count: int,
    seconds: float,
    rounds: int,
    no_plain: bool,
    file: Path | None,
) -> None:
    """Training speed of the architectures in params.yaml, and beside what.

    Images a second, the share of the device's arithmetic, peak memory, and ratios to (a) the same network on one batch
    that lies ready, (b) a plain PyTorch loop, (c) the device's own ceilings, as MFU and as the
    share of our time that the floor would take. docs/performance.md says
    how to read it.
    """
    from ferline.artifact import scratch_folder, write_json
    from ferline.bench.ceiling import Peak, peak
    from ferline.bench.compare import as_json, compare, sized, table
    from ferline.bench.faces import noise
    from ferline.errors import FerlineError
    from ferline.params import load
    from ferline.training.placement import Placement

    params = load("params.yaml")
    if unknown := sorted(set(names) - params.architectures.keys()):
        raise FerlineError(f"{', '.join(unknown)}: not in params.yaml; known: {', '.join(params.architectures)}")
    comparisons, ceilings = [], dict[str, Peak]()
    for name in names or params.architectures:
        architecture = sized(params.architectures[name], side, batch)
        placement = Placement.of(architecture.training, params.compute)
        numbers = str(placement.dtype).removeprefix("torch.")
        ceiling = ceilings.setdefault(numbers, ceilings.get(numbers) or peak(placement.device, numbers))
        input = architecture.input
        faces = noise(scratch_folder() / "faces", count, input.side, input.channels)
        comparisons.append(
            compare(name, architecture, faces, ceiling, params.compute, seconds, rounds, with_plain=not no_plain)
        )
        click.echo(json.dumps(comparisons[-1].__dict__), err=True)
    for numbers, ceiling in ceilings.items():
        rates = f"products {ceiling.flops / 1e9:,.0f} GFLOP/s, copies {ceiling.bandwidth / 1e9:,.0f} GB/s"
        click.echo(f"{placement.name}, {numbers}: {rates}")
    click.echo(f"\n{table(comparisons)}")
    if file:
        write_json(file, as_json(comparisons, ceilings))
