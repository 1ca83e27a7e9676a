"""A process of datagen's own starts without what it does not need."""

import gc
import subprocess
import sys
import textwrap

import pytest

from datagen.run.machine import loading


def run(program: str) -> list[str]:
    """The lines that a program prints."""
    code = "import sys\n" + textwrap.dedent(program)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_pyarrow_converts_lists_without_pandas_and_to_pandas_all_the_same():
    lines = run("""
        import pyarrow as pa
        from datagen.run.machine import do_without_pandas
        do_without_pandas()
        table = pa.table({"a": pa.array([1, 2])})
        print("pandas" in sys.modules, any("Absent" in repr(finder) for finder in sys.meta_path))
        print(table.to_pandas()["a"].tolist())
        import pandas
        print(pa.array(pandas.Series([3, 4])).to_pylist())
        """)
    assert lines == ["False False", "[1, 2]", "[3, 4]"]


def test_pandas_that_is_there_already_is_used():
    lines = run("""
        import pandas
        from datagen.run.machine import do_without_pandas
        do_without_pandas()
        import pyarrow as pa
        print(pa.array(pandas.Series(["x", None], dtype="category")).type)
        """)
    assert lines[0].startswith("dictionary<")


def test_neither_driver_nor_worker_of_a_build_imports_pandas_or_keeps_garbage():
    lines = run("""
        import gc, os, tempfile
        from datagen.run import finish, worker
        from datagen.cli import app

        def told(module, name):
            run = getattr(module, name)
            def telling(*given, **named):
                done = run(*given, **named)
                with open("told", "a") as file:
                    print(name, os.getpid() != driver, "pandas" in sys.modules, gc.isenabled(), file=file)
                return done
            setattr(module, name, telling)

        driver = os.getpid()
        told(worker, "commit_unit")
        from datagen.run import build
        told(build, "finish")
        with tempfile.TemporaryDirectory() as folder:
            os.chdir(folder)
            try:
                app(["build", "fake", "--limit", "2", "--workers", "1", "--out", "out"])
            except SystemExit as ended:
                assert not ended.code
            print(open("told").read())
        """)
    assert lines[-3:-1] == ["commit_unit True False True", "finish False False True"]


@pytest.mark.parametrize("before", [True, False])
def test_garbage_is_collected_again_after_loading_as_before(before):
    try:
        (gc.enable if before else gc.disable)()
        with pytest.raises(KeyError), loading():
            assert not gc.isenabled()
            raise KeyError
        assert gc.isenabled() is before
    finally:
        gc.enable()


def test_a_worker_that_was_not_forked_does_without_pandas_too(tmp_path):
    made = f"""
        import datagen
        recipe = datagen.load_recipe("fake", ["input.limit=2"])
        datagen.build(recipe, {str(tmp_path / "out")!r})
        """
    run(made)
    lines = run(f"""
        import datagen, pyarrow
        from datagen.run.worker import Worker
        recipe = datagen.load_recipe("fake", ["input.limit=2"])
        Worker.open(recipe.dump(), {str(tmp_path / "out")!r})
        pyarrow.array([1])
        print("pandas" in sys.modules)
        """)
    assert lines == ["False"]
