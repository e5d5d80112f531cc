"""The measures of the house count what they say they count."""

import textwrap

import pytest

from tools.measures import (
    FILE_LINES,
    FOLDER_FILES,
    FUNCTION_MEDIAN_LINES,
    FUNCTION_P90_LINES,
    crowded_folders,
    function_lengths,
    is_measured,
    long_files,
    long_functions,
)

SOURCE = textwrap.dedent('''
    @decorated
    def two_lines():
        """A docstring

        of three lines.
        """
        return 1

    class Thing:
        async def three_lines(self):
            await self.one()
            return 2
''')


def test_a_function_is_its_signature_and_body_without_docstring_and_decorators():
    """What is documented well is not punished."""
    assert sorted(function_lengths(SOURCE)) == [2, 3]


@pytest.mark.parametrize(
    ("path", "measured"),
    [
        ("services/gateway/app.py", True),
        ("services/gateway/tests/inference/test_chat.py", False),
        ("tests/documents.py", False),
        ("protos/gen/razvilka/auth/v1/auth_pb2.py", False),
        ("services/gateway/admission/admit.lua", False),
    ],
)
def test_only_our_own_sources_are_measured(path, measured):
    """Neither tests nor what is generated."""
    assert is_measured(path) is measured


def test_a_file_may_have_the_limit_and_not_a_line_more():
    """The complaint names it."""
    assert long_files({"a.py": FILE_LINES}) == []
    assert [line.split(":")[0] for line in long_files({"a.py": FILE_LINES, "b.py": FILE_LINES + 1})] == ["b.py"]


@pytest.mark.parametrize(
    ("lengths", "complaints"),
    [
        ([FUNCTION_MEDIAN_LINES] * 9 + [FUNCTION_P90_LINES * 9], 0),
        ([FUNCTION_MEDIAN_LINES + 1] * 10, 1),
        ([1] * 8 + [FUNCTION_P90_LINES + 1] * 2, 1),
        ([FUNCTION_P90_LINES + 1] * 10, 2),
    ],
)
def test_functions_are_measured_as_a_whole(lengths, complaints):
    """One long function is no crime; many are."""
    assert len(long_functions(lengths)) == complaints


def test_a_folder_may_be_full_but_not_crowded():
    """A package's docstring and its entry point are not counted."""
    full = [f"room/{number}.py" for number in range(FOLDER_FILES)] + ["room/__init__.py", "room/__main__.py"]

    assert crowded_folders(full, frozenset()) == []
    assert len(crowded_folders([*full, "room/one_more.py"], frozenset())) == 1
    assert crowded_folders([*full, "room/one_more.py"], frozenset({"room"})) == []


def test_an_exception_that_is_none_any_more_is_a_complaint():
    """The list only shrinks."""
    assert len(crowded_folders(["room/a.py"], frozenset({"room"}))) == 1
