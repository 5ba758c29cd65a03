"""How busy the machine was while a row was trained: MLflow's own system metrics of CPU, memory and GPUs."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from mlflow.system_metrics.metrics.base_metrics_monitor import BaseMetricsMonitor
from mlflow.system_metrics.metrics.disk_monitor import DiskMonitor
from mlflow.system_metrics.metrics.network_monitor import NetworkMonitor
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

logging.getLogger("mlflow.system_metrics").setLevel(logging.WARNING)  # else four lines a training, of its own affairs


class Monitor(SystemMetricsMonitor):
    """MLflow's, but for its first sample: taken at once, it says 0 % CPU, being of no time at all."""

    monitors: list[BaseMetricsMonitor]

    def __init__(self, run_id: str) -> None:
        super().__init__(run_id, resume_logging=True)
        # Disk and network are the machine's, not the training's; five more curves to pass over.
        self.monitors = [each for each in self.monitors if not isinstance(each, DiskMonitor | NetworkMonitor)]

    def monitor(self) -> None:
        for each in self.monitors:
            each.collect_metrics()
            each.clear_metrics()
        if not self._shutdown_event.wait(self.sampling_interval):
            super().monitor()


@contextmanager
def watched(run_id: str) -> Iterator[None]:
    """Sample the machine into the run until the block ends.

    MLflow samples every 10 s (MLFLOW_SYSTEM_METRICS_SAMPLING_INTERVAL) and writes a sample when the next is due, so a
    training of 9 s would leave none: one more is taken at the end, of the time since the last.
    """
    monitor = Monitor(run_id)
    monitor.start()
    try:
        yield
    finally:
        monitor.finish()
        monitor.collect_metrics()
        monitor.publish_metrics(monitor.aggregate_metrics())
        monitor.mlflow_logger.flush()
