"""A Hub of one machine for tests/integration/test_hub.py, which says in HPCENV_HUB where everything is."""

import json
import os
import sys

c = get_config()  # noqa: F821  given by traitlets
given = json.loads(os.environ["HPCENV_HUB"])
folder, ports = given["folder"], given["ports"]

c.JupyterHub.bind_url = f"http://127.0.0.1:{ports[0]}"
c.JupyterHub.hub_bind_url = f"http://127.0.0.1:{ports[1]}"
c.ConfigurableHTTPProxy.api_url = f"http://127.0.0.1:{ports[2]}"
c.ConfigurableHTTPProxy.command = [given["proxy"]]
c.ConfigurableHTTPProxy.pid_file = f"{folder}/proxy.pid"
c.JupyterHub.db_url = f"sqlite:///{folder}/hub.sqlite"
c.JupyterHub.cookie_secret_file = f"{folder}/cookie_secret"

c.JupyterHub.authenticator_class = "dummy"
c.Authenticator.allow_all = True
c.JupyterHub.spawner_class = "simple"
c.SimpleLocalProcessSpawner.home_dir_template = f"{folder}/home/{{username}}"
c.Spawner.cmd = [sys.executable, "-m", "jupyterhub.singleuser"]
c.Spawner.args = ["--allow-root"]
c.Spawner.start_timeout = c.Spawner.http_timeout = 60
c.Spawner.environment = {**given["variables"], "JUPYTERHUB_ACTIVITY_INTERVAL": "1"}

# What servers say of their activity decides, at once; what passes the proxy is not counted (every open tab would be).
c.JupyterHub.activity_resolution = 0
c.JupyterHub.last_activity_interval = 0

culler = [sys.executable, "-m", "jupyterhub_idle_culler", f"--timeout={given['timeout']}", "--cull-every=1"]
c.JupyterHub.services = [{"name": "test", "api_token": given["token"]}, {"name": "culler", "command": culler}]
c.JupyterHub.load_roles = [
    {"name": "test", "services": ["test"], "scopes": ["admin:users", "admin:servers", "access:servers"]},
    {
        "name": "culler",
        "services": ["culler"],
        "scopes": ["list:users", "read:users:activity", "read:servers", "delete:servers"],
    },
]
