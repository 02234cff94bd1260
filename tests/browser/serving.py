"""One Jupyter server on loopback that serves JupyterLab, Notebook 7 and Voila, with nothing of the user's set-up."""

import json
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_PATIENCE = 60
_SETTINGS = {
    "apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False, "doNotDisturbMode": True},
    "notebook-extension/tracker": {"windowingMode": "none", "autoStartDefaultKernel": True},
    "docmanager-extension/plugin": {"autosave": False},
}
"""No news, no search for updates, no cell left out of the page because it is off the screen."""


@dataclass(frozen=True, slots=True)
class Server:
    """A running server: where it is, what it lets in by, and the folder it shows."""

    base: str
    token: str
    folder: Path

    def address(self, app: str, notebook: str) -> str:
        """Name the page of a notebook; JupyterLab's is an empty workspace of its own, to open the notebook in."""
        paths = {
            "lab": f"/lab/workspaces/for-{Path(notebook).stem}",
            "notebook": f"/notebooks/{notebook}",
            "voila": f"/voila/render/{notebook}",
        }
        return f"{self.base}{paths[app]}?token={self.token}"

    def shut_down_kernels(self) -> None:
        for session in json.loads(self.asked("/api/sessions")):
            self.asked(f"/api/sessions/{session['id']}", method="DELETE")
        for kernel in json.loads(self.asked("/api/kernels")):  # Voila's have no session
            self.asked(f"/api/kernels/{kernel['id']}", method="DELETE")

    def asked(self, path: str, method: str = "GET") -> bytes:
        request = urllib.request.Request(
            f"{self.base}{path}", method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return answer.read()


@contextmanager
def served(folder: Path) -> Iterator[Server]:
    """Serve a folder's notebooks until the end of the block."""
    with tempfile.TemporaryDirectory(prefix="esanalytics-jupyter-", ignore_cleanup_errors=True) as home:
        server = Server(f"http://127.0.0.1:{_free_port()}", secrets.token_hex(16), folder)
        log = Path(home, "server.log")
        with log.open("wb") as written:
            process = subprocess.Popen(
                _command(server), stdin=subprocess.DEVNULL, stdout=written, stderr=written, env=_environment(Path(home))
            )  # in our process group: what ends us from outside ends it as well
        try:
            _wait(server, process, log)
            yield server
        finally:
            _end(process)


def _command(server: Server) -> list[str]:
    return [
        *(sys.executable, "-m", "jupyter", "notebook", "--no-browser", "--allow-root"),
        "--ServerApp.ip=127.0.0.1",
        f"--ServerApp.port={server.base.rpartition(':')[2]}",
        "--ServerApp.port_retries=0",
        "--ServerApp.terminals_enabled=False",
        f"--ServerApp.root_dir={server.folder}",
        f"--IdentityProvider.token={server.token}",
        "--ServerApp.tornado_settings={'mathjax_url': '/static/none.js'}",  # Voila would ask a stranger for it
        "--LabApp.expose_app_in_browser=True",
        "--JupyterNotebookApp.expose_app_in_browser=True",
    ]


def _environment(home: Path) -> dict[str, str]:
    """Keep the user's Jupyter, IPython and matplotlib settings out, and what is written within ``home``."""
    settings = home / "settings"
    for name, values in _SETTINGS.items():
        path = settings / "@jupyterlab" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(values), encoding="utf-8")
    folders = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "MPLCONFIGDIR": "matplotlib",
    }
    private = {name: str(home / folder) for name, folder in folders.items()}
    return {**os.environ, **private, "JUPYTERLAB_SETTINGS_DIR": str(settings), "JUPYTER_PLATFORM_DIRS": "1"}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


def _wait(server: Server, process: subprocess.Popen, log: Path) -> None:
    end = time.monotonic() + _PATIENCE
    while True:
        try:
            server.asked("/api/status")
        except (urllib.error.URLError, OSError):
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(log.read_text(errors="replace")[-4000:]) from None
            time.sleep(0.2)
        else:
            return


def _end(process: subprocess.Popen) -> None:
    """Ask the server to end, which ends its kernels; where it does not, end all that it started."""
    started = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for left in psutil.wait_procs(started, timeout=1)[1]:
        left.kill()
