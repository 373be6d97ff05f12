"""Parameter groups and AdamW."""

import torch

from stickerforge.training.config import TrainingConfig
from stickerforge.training.state import TrainState


def build_optimizer(student: TrainState, course: TrainingConfig) -> torch.optim.Optimizer:
    """AdamW on the factors, without decay on the embeddings, whose length is kept anyway."""
    groups = [{"params": student.factors, "lr": course.rate, "weight_decay": course.weight_decay}]
    if student.text_factors:
        groups.append(
            {
                "params": student.text_factors,
                "lr": course.text_rate,
                "weight_decay": course.weight_decay,
            }
        )
    if rows := student.all_rows():
        groups.append({"params": rows, "lr": course.token_rate, "weight_decay": 0.0})
    return torch.optim.AdamW(groups, betas=(0.9, 0.999), eps=course.epsilon, fused=True)
