"""Installing shows what is installed, and pip's own words only where it fails."""

from tools.install import Install, install, n_locked


def test_the_packages_of_a_lock_are_counted_without_those_for_other_machines(tmp_path):
    lock = tmp_path / "requirements.lock"
    lock.write_text('a==1 \\\n    --hash=sha256:0\nb-c==2 ; sys_platform == "win32"\n# d==3\n')
    found = Install("packages", n_locked(["--require-hashes", "-r", str(lock)]))
    assert found.n_all == 1
    assert found.state(3) == "packages: 0 of 1, 3 s"
    found.read("Requirement already satisfied: a==1 in ...")
    assert found.state(3) == "packages: 1 package, 3 s"


def test_unpacking_moves_and_the_end_says_installed():
    found = Install("packages", 2, n_found=2, n_bytes=3e6)
    found.read("Installing collected packages: a, b")
    assert found.state(4, n_unpacked=1) == "packages: unpacking, 1 of 2 packages, 4 s"
    assert found.done(5) == "packages: installed, 2 packages, 3 MB, 5 s"


def test_where_pip_fails_its_words_are_shown(capfd, tmp_path):
    assert install("packages", ["--no-index", str(tmp_path / "nowhere.whl")]) != 0
    said = capfd.readouterr().out
    assert "nowhere.whl" in said
    assert said.splitlines()[-1] == "packages: pip failed"


def test_pip_itself_says_nothing_where_it_works(capfd):
    assert install("pytest", ["--no-index", "pytest"]) == 0
    said = capfd.readouterr().out
    assert all(line.startswith("pytest: ") and line.endswith(" s") for line in said.splitlines())
    assert said
