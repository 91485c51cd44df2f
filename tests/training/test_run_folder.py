"""colorlab.training.run_folder: what a run is told of its folder before it begins; the rest is in
test_run.py and test_checkpoints.py."""

from __future__ import annotations

import errno
import tempfile

import pytest

from colorlab.training.run_folder import RunFolder


def test_a_folder_that_takes_no_files_is_reported_and_left_as_it_was(tmp_path, monkeypatch):
    folder = RunFolder(tmp_path / "a" / "run", warn=pytest.fail)
    folder.check_writable()
    assert list(folder.path.iterdir()) == []

    def refuse(**where):
        raise OSError(errno.EROFS, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    with pytest.raises(OSError, match=r"output can't be written to .*run \(Read-only file system"):
        folder.check_writable()
