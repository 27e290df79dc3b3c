# Colab and other fresh machines: fetch ganlib. Does nothing where ganlib is importable.
import importlib.util

REPOSITORY, BRANCH = "https://github.com/OWNER/gan-book", "main"
if importlib.util.find_spec("ganlib") is None:
    if "/OWNER/" in REPOSITORY:
        raise RuntimeError("this copy names no repository: run `pip install .` in a checkout of the book, then restart the kernel")
    import importlib.metadata, pathlib, subprocess, sys, tempfile

    keep = [f"{name}=={importlib.metadata.version(name)}" for name in ("torch", "torchvision", "numpy") if importlib.util.find_spec(name)]
    constraints = pathlib.Path(tempfile.mkdtemp(), "constraints.txt")
    constraints.write_text("\n".join(keep))
    subprocess.run([sys.executable, "-m", "pip", "install", "-q", "-c", str(constraints), f"ganlib @ git+{REPOSITORY}@{BRANCH}"], check=True)
