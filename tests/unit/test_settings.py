"""Settings: which source wins, and what is refused in which words."""

from __future__ import annotations

import pytest

from locktop.settings import Settings, Usage, resolve


def test_defaults_name_themselves() -> None:
    found = resolve({}, {})
    assert found.target.value is None
    assert (found.interval.value, found.interval.source) == (2.0, "default")
    assert found.clock_error.value == 900.0
    assert found.timeout.value is None
    assert (found.ascii.value, found.mouse.value) == (False, True)
    assert found.write.value is False, "nothing is written unless somebody says so"


def test_writing_is_allowed_by_the_flag_or_by_the_environment() -> None:
    assert resolve({"write": "yes"}, {}).write.value is True
    assert resolve({"write": None}, {"LOCKTOP_WRITE": "1"}).write.source == "LOCKTOP_WRITE"
    assert resolve({"write": "no"}, {"LOCKTOP_WRITE": "1"}).write.value is False


def test_the_environment_beats_defaults_and_flags_beat_the_environment() -> None:
    environ = {"LOCKTOP_TARGET": "/env", "LOCKTOP_INTERVAL": "5", "LOCKTOP_CLOCK_ERROR": "1.5"}
    found = resolve({"interval": "7", "target": None}, environ)
    assert (found.target.value, found.target.source) == ("/env", "LOCKTOP_TARGET")
    assert (found.interval.value, found.interval.source) == (7.0, "--interval")
    assert (found.clock_error.value, found.clock_error.source) == (1.5, "LOCKTOP_CLOCK_ERROR")


def test_an_empty_variable_is_not_set() -> None:
    found = resolve({}, {"LOCKTOP_TARGET": "", "LOCKTOP_ASCII": ""})
    assert found.target.value is None
    assert found.ascii.source == "default"


def test_an_empty_flag_is_given() -> None:
    assert resolve({"target": ""}, {"LOCKTOP_TARGET": "/env"}).target.value == ""


@pytest.mark.parametrize(("word", "meant"), [("1", True), ("Yes", True), ("off", False), ("0", False)])
def test_switches_in_the_environment(word: str, meant: bool) -> None:
    found = resolve({}, {"LOCKTOP_ASCII": word, "LOCKTOP_MOUSE": word})
    assert (found.ascii.value, found.mouse.value) == (meant, meant)


@pytest.mark.parametrize(
    ("flags", "environ", "named"),
    [
        ({"interval": "abc"}, {}, "--interval"),
        ({"interval": "0"}, {}, "--interval"),
        ({"interval": "nan"}, {}, "--interval"),
        ({"timeout": "-1"}, {}, "--timeout"),
        ({"requests_per_second": "0"}, {}, "--requests-per-second"),
        ({"dollars_per_day": "-1"}, {}, "--dollars-per-day"),
        ({"prices": "cheap"}, {}, "--prices"),
        ({}, {"LOCKTOP_PRICES": "1/2/3"}, "LOCKTOP_PRICES"),
        ({"timeout": "inf"}, {}, "--timeout"),
        ({"clock_error": "-0.1"}, {}, "--clock-error"),
        ({}, {"LOCKTOP_INTERVAL": "fast"}, "LOCKTOP_INTERVAL"),
        ({}, {"LOCKTOP_ASCII": "perhaps"}, "LOCKTOP_ASCII"),
        ({}, {"LOCKTOP_CLOCK_ERROR": "1\x1b[31m"}, "LOCKTOP_CLOCK_ERROR"),
    ],
)
def test_a_wrong_value_is_refused_by_the_name_of_its_source(
    flags: dict[str, object], environ: dict[str, str], named: str
) -> None:
    with pytest.raises(Usage) as refused:
        resolve(flags, environ)
    line = str(refused.value)
    assert line.startswith(f"{named}: ")
    assert line.isprintable()


def test_a_target_is_asked_for_when_there_is_none() -> None:
    settings: Settings = resolve({}, {})
    with pytest.raises(Usage, match="LOCKTOP_TARGET"):
        settings.required_target()
