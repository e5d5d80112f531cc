"""Generated code follows the .proto files."""

import shutil

from tools import protos


def test_the_committed_code_is_what_the_compiler_gives(tmp_path):
    """Nobody edits generated code, nobody forgets to generate it."""
    protos.generate(tmp_path)

    assert protos.differences(protos.GENERATED, tmp_path) == []


def test_an_edited_a_missing_and_a_left_over_file_are_found(tmp_path):
    """The three ways to drift."""
    ours = tmp_path / "ours"
    shutil.copytree(protos.GENERATED / "razvilka" / "auth", ours)
    (ours / "v1" / "auth_pb2.py").write_text("# edited")
    (ours / "v1" / "auth_pb2.pyi").unlink()
    (ours / "v1" / "old_pb2.py").touch()

    found = protos.differences(ours, protos.GENERATED / "razvilka" / "auth")

    assert found == ["v1/auth_pb2.py", "v1/auth_pb2.pyi", "v1/old_pb2.py"]
