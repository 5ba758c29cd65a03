"""Where a training runs, and in which numbers: what this machine does best, unless the parameters say otherwise."""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch

from ferline.errors import FerlineError
from ferline.params import ComputeParams, TrainingParams


@dataclass(frozen=True)
class Placement:
    device: torch.device
    dtype: torch.dtype  # of the forward pass; weights, sums and losses are float32

    @classmethod
    def of(cls, params: TrainingParams, compute: ComputeParams, local_rank: int = 0) -> "Placement":
        device = _device(params, local_rank)
        if device.type == "cuda":
            torch.cuda.set_device(device)
        settle(device, compute.deterministic)
        asked = _best(device) if params.precision == "auto" else params.precision
        return cls(device, getattr(torch, asked))

    def autocast(self) -> AbstractContextManager[Any]:
        return nullcontext() if self.dtype == torch.float32 else torch.autocast(self.device.type, dtype=self.dtype)

    def scaler(self) -> torch.amp.GradScaler:
        """float16 runs out of small numbers: its losses are scaled up. Others pass through unchanged."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    @property
    def name(self) -> str:
        return torch.cuda.get_device_name(self.device) if self.device.type == "cuda" else "CPU"


def settle(device: torch.device, deterministic: bool) -> None:
    """torch's own switches. They are the process's, so each training sets all of them."""
    # Of what the papers' networks do, only a spatial transformer's gradient has no exact form on a GPU: torch warns.
    torch.use_deterministic_algorithms(deterministic and device.type == "cuda", warn_only=True)
    torch.backends.cudnn.benchmark = not deterministic
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False  # scores are float32's own
    if deterministic and device.type == "cuda":
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")


def _device(params: TrainingParams, local_rank: int) -> torch.device:
    if params.device == "cpu" or (params.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise FerlineError("training.device: 'cuda' was asked for and torch finds none; write 'auto' or 'cpu'")
    if local_rank >= torch.cuda.device_count():
        raise FerlineError(f"compute.devices: {local_rank + 1} or more, and torch finds {torch.cuda.device_count()}")
    return torch.device("cuda", local_rank)


def _best(device: torch.device) -> str:
    """bfloat16 wherever the processor itself has it: emulated, on an older CPU, it would be slower than float32."""
    if device.type == "cuda":
        return "bfloat16" if torch.cuda.is_bf16_supported(including_emulation=False) else "float16"
    native = torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported()
    return "bfloat16" if native else "float32"
