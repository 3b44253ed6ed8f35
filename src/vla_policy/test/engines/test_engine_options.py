from pathlib import Path

import pytest

from vla_policy.backends import BackendError
from vla_policy.engines.compile_options import (
    BuildOptions,
    checked,
    compile_options,
    typing_options,
)


def compile_of_2_8(
    program,
    *,
    arg_inputs=None,
    workspace_size=0,
    min_block_size=5,
    require_full_compilation=False,
    optimization_level=None,
    timing_cache_path="/tmp/timing.bin",
    enabled_precisions=(),
    use_explicit_typing=False,
    **kwargs,
):
    """The parameters that matter, of a release that chooses types unless told not to."""


def compile_of_2_14(
    program,
    *,
    arg_inputs=None,
    workspace_size=0,
    min_block_size=5,
    require_full_compilation=False,
    optimization_level=None,
    timing_cache_path="/tmp/timing.bin",
    **kwargs,
):
    """The parameters that matter, of a release that keeps the graph's types."""


def test_sizes_are_explicit_and_the_timing_cache_is_not_in_tmp():
    options = compile_options(compile_of_2_14, BuildOptions(workspace=512), Path("/data/timing"))
    assert options["workspace_size"] == 512 << 20
    assert options["min_block_size"] == 1
    assert options["require_full_compilation"] is True
    assert options["timing_cache_path"] == "/data/timing"


def test_each_release_is_told_in_its_own_way_to_keep_the_types():
    assert "enabled_precisions" not in compile_options(compile_of_2_14, BuildOptions(), Path())
    assert compile_options(compile_of_2_8, BuildOptions(), Path())["use_explicit_typing"] is True
    assert typing_options({"other"}, half=True) == {}


def test_an_option_that_would_be_swallowed_fails():
    with pytest.raises(BackendError, match="enabled_precisions: no option of .*compile_of_2_14"):
        checked(compile_of_2_14, {"enabled_precisions": {"half"}, "workspace_size": 1})
    assert checked(compile_of_2_8, {"enabled_precisions": 1}) == {"enabled_precisions": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"workspace": 0}, "workspace is 0 MB"), ({"optimization_level": 6}, "level is 6; .* 0 to 5")],
)
def test_bad_options(changes, words):
    with pytest.raises(BackendError, match=words):
        BuildOptions(**changes)
