"""Variables, files in their place, and typing errors."""

from pathlib import Path

import pytest

from servicekit.configuration.environment import BadEnvironment, read_environment, read_variable

KNOWN = frozenset({"AUTH_KEY_PEPPER", "AUTH_REDIS_URL", "AUTH_PORT"})


def read(environment: dict[str, str]) -> dict[str, str]:
    return read_environment(environment, "AUTH_", KNOWN)


def test_only_our_own_variables_are_read() -> None:
    """Another program's environment is none of our business."""
    assert read({"AUTH_PORT": "1", "PATH": "/bin", "GATEWAY_PORT": "2"}) == {"AUTH_PORT": "1"}


def test_a_mistyped_variable_is_an_error_that_names_the_right_one() -> None:
    """It would silently leave the default."""
    with pytest.raises(BadEnvironment, match=r"AUTH_REDIS_URI: there is no such setting; AUTH_REDIS_URL\?"):
        read({"AUTH_REDIS_URI": "redis://x"})


def test_a_secret_is_read_from_the_file_that_is_named(tmp_path: Path) -> None:
    """Without the newline that editors add."""
    (tmp_path / "pepper").write_text("p e p p e r\n")

    assert read({"AUTH_KEY_PEPPER_FILE": str(tmp_path / "pepper")}) == {"AUTH_KEY_PEPPER": "p e p p e r"}


def test_a_folder_of_secrets_has_a_file_for_each_variable(tmp_path: Path) -> None:
    """Files of other programs may be beside them; a variable of the environment is nearer."""
    for name in ("AUTH_KEY_PEPPER", "AUTH_REDIS_URL", "GATEWAY_REDIS_URL"):
        (tmp_path / name).write_text(f"from {name}")

    read_here = read({"RAZVILKA_SECRETS_DIR": str(tmp_path), "AUTH_REDIS_URL": "redis://near"})

    assert read_here == {"AUTH_KEY_PEPPER": "from AUTH_KEY_PEPPER", "AUTH_REDIS_URL": "redis://near"}


def test_a_mistyped_file_in_the_folder_is_an_error(tmp_path: Path) -> None:
    """As a mistyped variable is."""
    (tmp_path / "AUTH_KEY_PEPER").write_text("x")

    with pytest.raises(BadEnvironment, match=r"AUTH_KEY_PEPER: there is no such setting; AUTH_KEY_PEPPER\?"):
        read({"RAZVILKA_SECRETS_DIR": str(tmp_path)})


def test_what_cannot_be_read_is_named_and_never_empty(tmp_path: Path) -> None:
    """A missing file, a missing folder, and bytes that are no text."""
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    for environment, named in (
        ({"AUTH_KEY_PEPPER_FILE": str(tmp_path / "none")}, "AUTH_KEY_PEPPER_FILE=.*none: No such file"),
        ({"AUTH_KEY_PEPPER_FILE": str(tmp_path / "bytes")}, "AUTH_KEY_PEPPER_FILE=.*bytes: it is not text"),
        ({"RAZVILKA_SECRETS_DIR": str(tmp_path / "none")}, "RAZVILKA_SECRETS_DIR=.*: there is no such folder"),
    ):
        with pytest.raises(BadEnvironment, match=named):
            read(environment)


def test_a_variable_and_its_file_are_too_many(tmp_path: Path) -> None:
    """Nobody should have to guess which of them counts."""
    with pytest.raises(BadEnvironment, match="AUTH_KEY_PEPPER and AUTH_KEY_PEPPER_FILE: set one of them"):
        read({"AUTH_KEY_PEPPER": "x", "AUTH_KEY_PEPPER_FILE": str(tmp_path / "none")})


@pytest.mark.parametrize("given", ["variable", "file", "folder"])
def test_one_variable_is_read_whatever_other_names_begin_alike(tmp_path: Path, given: str) -> None:
    """The names of upstreams' keys are an operator's: one that began another's was taken for a typing error."""
    (tmp_path / "KEY").write_text("ours\n")
    (tmp_path / "KEY_EU").write_text("another's\n")
    environment = {
        "variable": {"KEY": "ours", "KEY_EU": "another's"},
        "file": {"KEY_FILE": str(tmp_path / "KEY"), "KEY_EU_FILE": str(tmp_path / "KEY_EU")},
        "folder": {"RAZVILKA_SECRETS_DIR": str(tmp_path)},
    }[given]

    assert [read_variable(environment, name) for name in ("KEY", "KEY_EU", "K")] == ["ours", "another's", ""]


def test_one_variable_that_is_given_twice_or_cannot_be_read_is_refused(tmp_path: Path) -> None:
    """As all of them are."""
    for environment in ({"KEY": "a", "KEY_FILE": str(tmp_path)}, {"KEY_FILE": str(tmp_path / "none")}):
        with pytest.raises(BadEnvironment):
            read_variable(environment, "KEY")
