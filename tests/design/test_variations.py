"""Every setting that can be varied: it reads what it wrote, in designs that can be trained."""

import pytest

from mnist_core.design.spec import Layer, RunSpec
from mnist_core.design.variations import SETTINGS, applicable, plain, varied, written

SPEC = RunSpec((Layer(64), Layer(32)), seed=3)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_setting_reads_what_it_wrote_in_a_design_that_can_be_trained(name):
    setting = SETTINGS[name]
    for value in setting.options:
        design = setting.put(SPEC, value)
        design.check()
        assert setting.get(design) == value
        assert RunSpec.from_query(design.to_query()) == design
    words = [setting.write(value) for value in setting.options]
    assert len(set(words)) == len(words) >= 2


@pytest.mark.parametrize("name", SETTINGS)
def test_putting_the_designs_own_value_changes_nothing(name):
    setting, spec = SETTINGS[name], RunSpec((Layer(64), Layer(64)), seed=3)
    assert setting.put(spec, setting.get(spec)) == spec


def test_an_optimizer_comes_with_its_usual_rate_unless_one_is_asked_for():
    assert varied(SPEC, {"optimizer": "sgd"}).learning_rate == 0.1
    assert varied(SPEC, {"optimizer_alone": "sgd"}).learning_rate == SPEC.learning_rate
    assert varied(SPEC, {"learning_rate": 0.03, "optimizer": "sgd"}).learning_rate == 0.03


def test_depth_repeats_the_last_layer_and_comes_before_what_all_layers_share():
    assert [x.units for x in varied(SPEC, {"depth": 4}).layers] == [64, 32, 32, 32]
    assert [x.units for x in varied(SPEC, {"units": 16, "depth": 3}).layers] == [16] * 3
    assert varied(SPEC, {"depth": 1}).layers == (Layer(64),)


def test_a_design_without_hidden_layers_has_none_of_their_settings():
    bare = applicable(RunSpec(()))
    assert "units" not in bare and "dropout" not in bare and "depth" in bare
    assert set(applicable(SPEC)) == set(SETTINGS)


def test_numbers_in_words():
    assert [plain(x) for x in (0.0, 1e-5, 0.001, 0.1, 3.0)] == ["0", "0.00001", "0.001", "0.1", "3"]
    assert written({"batch_norm": True, "optimizer": "sgd"}) == {
        "Batch normalisation": "on",
        "Optimizer, each at its usual learning rate": "SGD",
    }
