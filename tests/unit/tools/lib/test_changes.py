import pytest

from tests.conftest import ROOT
from tools.lib import changes


@pytest.mark.parametrize(
    "changed, test",
    [
        ("tests/unit/ansim/test_envelope.py", "tests/unit/ansim/test_envelope.py"),
        ("tools/lib/changes.py", "tests/unit/tools/lib/test_changes.py"),
        ("server/services/people/accounts.py", "tests/unit/server/people/test_accounts.py"),
        ("server/web/people/accounts.py", "tests/unit/server/web/people/test_accounts.py"),
        ("server/templates/people/people.html", "tests/unit/server/web/people/test_accounts.py"),
        ("tests/support/ports.py", "tests/unit/tools/lib/test_processes.py"),
    ],
)
def test_a_changed_file_has_the_tests_of_its_mirrored_folder(changed, test):
    assert test in changes.unit_tests_of([changed])


def test_only_the_own_test_file_of_a_module_runs():
    assert changes.unit_tests_of(["tools/lib/changes.py"]) == ["tests/unit/tools/lib/test_changes.py"]


def test_documents_and_conftest_have_no_tests():
    assert changes.unit_tests_of(["README.md", "tests/conftest.py"]) == []


def test_changed_files_exist_and_are_inside_the_project():
    assert all((ROOT / name).is_file() for name in changes.changed_files())


def test_a_folder_stands_for_its_python_files():
    assert "tools/lib/changes.py" in changes.files_under(["tools/lib"])
