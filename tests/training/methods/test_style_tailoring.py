"""Style Tailoring's properties: which set at which noise, and what it comes to in the limits."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from stickerforge.objectives.style_tailoring import THRESHOLD
from stickerforge.training.methods.style_tailoring import StyleTailoring
from stickerforge.training.optimizer import build_optimizer
from stickerforge.training.set_router import Routing
from stickerforge.training.trainer import accumulate, train_step
from tests.training.setups import CONFIG, model_of, random_examples, state_of

SETTINGS = replace(
    CONFIG, batch=4, steps=6, layers="blocks", objective="plain", offset_noise=0.0, lr=1e-2
)
NEVER, ALWAYS = -1e9, 1e9  # thresholds beyond every schedule: no level is noisier, every one is


def tailoring(folder, rule, *, threshold=THRESHOLD, sets=None, settings=SETTINGS, **options):
    model = model_of(folder)
    state = state_of(model, settings, {})
    content, style = sets or (
        random_examples(model, 5, "a cat {}", "a cat {}"),
        [
            replace(example, mean=-example.mean)
            for example in random_examples(model, 3, "a red cat {}", "a red cat {}")
        ],
    )
    routing = {name: options.pop(name) for name in ("content", "stratified") if name in options}
    own = Routing(rule, threshold, **routing)
    return StyleTailoring(state, content, style, settings, own, seed=7, **options)


def losses(method, steps=4):
    optimizer = build_optimizer(method.parameter_groups(), SETTINGS.epsilon)
    return [train_step(method, optimizer, step, 1.0)["loss"] for step in range(steps)]


def test_content_if_and_only_if_the_noise_is_above_the_threshold(tiny_sd):
    method = tailoring(tiny_sd, "noise", settings=replace(SETTINGS, batch=100))
    table, places = method.router.log_snr, []
    for step in range(1000):
        places += method.router.places(step)
    assert all(place.content == (table[place.timestep] < THRESHOLD) for place in places)
    share = sum(level < THRESHOLD for level in table) / len(table)
    assert method.router.content_share == pytest.approx(share, abs=1e-6)
    count = sum(place.content for place in places)
    assert abs(count - share * len(places)) < 3 * (len(places) * share * (1 - share)) ** 0.5
    reverse = tailoring(tiny_sd, "noise", content="clean").router
    assert reverse.content_share == pytest.approx(1 - share, abs=1e-6)
    assert all(place.content == (table[place.timestep] >= THRESHOLD) for place in reverse.places(0))


@pytest.mark.parametrize(("threshold", "rule"), [(NEVER, "style"), (ALWAYS, "content")])
def test_a_threshold_beyond_the_schedule_is_training_on_one_set(tiny_sd, threshold, rule):
    joint = losses(tailoring(tiny_sd, "noise", threshold=threshold))
    assert joint == losses(tailoring(tiny_sd, rule))
    assert joint != losses(tailoring(tiny_sd, "content" if rule == "style" else "style"))


def test_with_one_set_twice_the_rule_makes_no_difference(tiny_sd):
    examples = random_examples(model_of(tiny_sd), 5, "a cat {}", "a cat {}")
    plain = losses(tailoring(tiny_sd, "content", sets=(examples, [])))
    for rule in ("noise", "share", "halves"):
        assert losses(tailoring(tiny_sd, rule, sets=(examples, examples))) == plain


def test_every_set_is_walked_through_in_epochs_of_its_own(tiny_sd):
    def new_router():
        settings = replace(SETTINGS, batch=8)
        return tailoring(tiny_sd, "noise", threshold=-1.0, settings=settings).router

    router = new_router()
    places = [place for step in range(60) for place in router.fill(step)]
    for is_content, size in ((True, 5), (False, 3)):
        pictures = [place.picture for place in places if place.content == is_content]
        whole = len(pictures) // size * size
        for start in range(0, whole, size):
            assert sorted(pictures[start : start + size]) == list(range(size))
        assert len({tuple(pictures[start : start + size]) for start in range(0, whole, size)}) > 1
    # And a step is the same whatever was asked for before it.
    assert new_router().fill(41) == places[41 * 8 : 42 * 8]
    assert router.fill(3) == places[3 * 8 : 4 * 8]


def test_mixed_sets_have_the_share_of_the_rule_at_every_noise(tiny_sd):
    router = tailoring(tiny_sd, "share", settings=replace(SETTINGS, batch=50)).router
    places = [place for step in range(400) for place in router.places(step)]
    share = router.content_share
    for low, high in ((0, 500), (500, 1000)):
        own = [place.content for place in places if low <= place.timestep < high]
        spread = (share * (1 - share) / len(own)) ** 0.5
        assert np.mean(own) == pytest.approx(share, abs=4 * spread)


def test_content_first_and_then_style(tiny_sd):
    router = tailoring(tiny_sd, "halves").router
    halves = [[place.content for place in router.places(step)] for step in range(6)]
    assert halves == [[True] * 4] * 3 + [[False] * 4] * 3


def test_stratified_places_have_the_loss_of_plain_ones_in_the_mean(tiny_sd):
    """Same expectation, each set in half of the places, and less variance."""

    def sums(stratified):
        router = tailoring(tiny_sd, "noise", stratified=stratified).router
        table = {True: 3.0, False: 1.0}  # what a picture of each set would cost
        return [
            sum(place.weight * table[place.content] for place in router.places(step)) / 4
            for step in range(800)
        ]

    plain, stratified = sums(False), sums(True)
    expected = 1 + 2 * tailoring(tiny_sd, "noise").router.content_share
    assert np.mean(stratified) == pytest.approx(expected, rel=1e-6)
    assert np.mean(plain) == pytest.approx(expected, abs=4 * np.std(plain) / 800**0.5)
    assert np.std(stratified) < np.std(plain) / 100
    router = tailoring(tiny_sd, "noise", stratified=True).router
    for place in router.places(0):
        assert place.content == (router.log_snr[place.timestep] < THRESHOLD)
    assert sum(place.content for place in router.places(0)) == 2


@pytest.mark.parametrize("objective", ["plain", "dco"])
@pytest.mark.parametrize("part", [2, 1])
def test_parts_come_to_the_gradient_of_the_whole(tiny_sd, objective, part):
    settings = replace(SETTINGS, objective=objective, beta=50.0)

    def gradients(part):
        method = tailoring(tiny_sd, "share", threshold=0.0, settings=settings, part=part)
        with torch.no_grad():
            for index, factor in enumerate(method.train_state.factors):
                random = torch.Generator().manual_seed(index)
                factor.add_(torch.randn(factor.shape, generator=random) / 20)
        loss = float(accumulate(method, 0).loss)
        return loss, [factor.grad.clone() for factor in method.train_state.factors]

    loss, whole = gradients(0)
    other, parts = gradients(part)
    assert other == pytest.approx(loss, rel=1e-5)
    for one, two in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-3, atol=1e-5)


def test_pictures_of_different_shapes_share_a_step(tiny_sd):
    model = model_of(tiny_sd)
    examples = random_examples(model, 4, "a cat {}", "a cat {}")
    wide = [
        replace(example, mean=example.mean[:, :4], deviation=example.deviation[:, :4])
        if number % 2
        else example
        for number, example in enumerate(examples)
    ]
    method = tailoring(tiny_sd, "content", sets=(wide, []))
    batch = method.batch(0)
    assert len(batch.parts) == 2
    alone = [
        float(method.loss(replace(batch, parts=(part,), scale=1.0), 0).loss) for part in batch.parts
    ]
    assert float(method.loss(batch, 0).loss) == pytest.approx(sum(alone) / 4, rel=1e-5)


def test_so_many_captions_are_left_out(tiny_sd):
    method = tailoring(tiny_sd, "content", caption_dropout=0.3)
    captions = [
        example.caption.text
        for step in range(150)
        for part, _ in method.batch(step).parts
        for example in part.examples
    ]
    assert 0.25 < captions.count("") / len(captions) < 0.35


def test_dco_compares_with_what_training_began_from(tiny_sd):
    """At the first step nothing has changed: the loss is log 2, whatever it began from."""
    settings = replace(SETTINGS, objective="dco", beta=50.0)
    method = tailoring(tiny_sd, "content", settings=settings)
    with torch.no_grad():
        for factor in method.train_state.factors:
            factor.add_(0.05)
    start = method.train_state.weights()
    method.reference = start
    before = [factor.detach().clone() for factor in method.train_state.factors]
    output = method.loss(method.batch(0), 0)
    assert float(output.loss) == pytest.approx(np.log(2), rel=1e-5)
    assert float(output.metrics["gap"]) == 0
    for one, two in zip(before, method.train_state.factors, strict=True):
        assert torch.equal(one, two)
    method.reference = None  # the model without it
    assert float(method.loss(method.batch(0), 0).metrics["gap"]) > 0


def test_a_state_goes_on_as_if_it_had_not_been_interrupted(tiny_sd):
    settings = replace(SETTINGS, objective="dco", beta="auto")
    one = tailoring(tiny_sd, "noise", threshold=0.0, settings=settings)
    optimizer = build_optimizer(one.parameter_groups(), 1e-8)
    for step in range(2):
        train_step(one, optimizer, step, 1.0)
    two = tailoring(tiny_sd, "noise", threshold=0.0, settings=settings)
    two.restore(one.state())
    assert float(one.loss(one.batch(2), 2).loss) == float(two.loss(two.batch(2), 2).loss)
