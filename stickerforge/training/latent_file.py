"""Encoded pictures in a file instead of in memory: ten thousand of SDXL's take five gigabytes.

The file has no name, so that nothing is left of it whatever ends the process.
"""

import mmap
import tempfile
from pathlib import Path

import torch
from torch import Tensor

from stickerforge.runtime.files import disk_fault, make_folder


class LatentFile:
    """Tensors that are written one after another, and then read where they lie."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        """Open a file in a folder, which is made.

        Args:
            dtype: in which the tensors are kept.

        Raises:
            EnvironmentFault: it cannot be written to.
        """
        make_folder(folder)
        self.folder, self.dtype = folder, dtype
        try:
            self.file = tempfile.TemporaryFile(dir=folder)
        except OSError as error:
            raise disk_fault(error, folder) from error
        self.shapes: list[torch.Size] = []

    def append(self, tensor: Tensor) -> None:
        """Write a tensor to the end.

        Raises:
            EnvironmentFault: the disk is full.
        """
        try:
            self.file.write(tensor.detach().cpu().to(self.dtype).contiguous().numpy().tobytes())
        except OSError as error:
            raise disk_fault(error, self.folder) from error
        self.shapes.append(tensor.shape)

    def tensors(self) -> list[Tensor]:
        """All tensors in their order; they take memory only while they are read.

        It ends the writing: the file stays with the tensors alone.

        Raises:
            EnvironmentFault: the disk is full.
        """
        if not self.shapes:
            return []
        try:
            with self.file:
                self.file.flush()
                # Of its own, so that nobody's change reaches the file.
                content = mmap.mmap(self.file.fileno(), 0, access=mmap.ACCESS_COPY)
        except OSError as error:
            raise disk_fault(error, self.folder) from error
        tensors, start = [], 0
        for shape in self.shapes:
            count = shape.numel()
            part = torch.frombuffer(content, dtype=self.dtype, count=count, offset=start)
            tensors.append(part.reshape(shape))
            start += self.dtype.itemsize * count
        return tensors
