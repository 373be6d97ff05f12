"""The sealed prompts of users."""

from examples.experiments.bench import (
    user_prompts,
)


def test_the_sealed_prompts_are_those_that_were_sealed(monkeypatch):
    assert len(user_prompts.read_prompts("dev")) == len(user_prompts.read_prompts("test")) == 75
    assert not set(user_prompts.read_prompts("dev")) & set(user_prompts.read_prompts("test"))
