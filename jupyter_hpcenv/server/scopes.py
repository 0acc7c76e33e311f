"""Let JupyterHub's scopes decide who may read, change and run things on a user's server.

Without it, whoever may enter a server may do everything there. A site switches it on for all servers by
``c.Spawner.args = ["--ServerApp.authorizer_class=jupyter_hpcenv.server.scopes.ScopesAuthorizer"]``.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from jupyter_server.auth import Authorizer

if TYPE_CHECKING:
    from jupyter_server.auth import User
    from jupyter_server.base.handlers import JupyterHandler

#: To be defined in ``c.JupyterHub.custom_scopes``; the words of the actions are those of Jupyter Server.
SCOPE = "custom:jupyter_server:{action}"


class ScopesAuthorizer(Authorizer):
    """Allow an action on anything of this server to who has its scope, and else nothing.

    It is about the whole server, because who may start a kernel needs no right of ours to do what it likes. Outside
    a Hub it allows nothing.
    """

    def is_authorized(self, handler: JupyterHandler, user: User, action: str, resource: str) -> bool:
        """Tell whether the scopes of the caller's token hold the action, for this server or for its user."""
        known: dict[str, Any] | None = getattr(user, "hub_user", None)
        hub = getattr(self.identity_provider, "hub_auth", None)
        if known is None or hub is None:
            return False
        scope = SCOPE.format(action=action)
        owner, server = os.environ["JUPYTERHUB_USER"], os.environ.get("JUPYTERHUB_SERVER_NAME", "")
        wanted = {f"{scope}!user={owner}", f"{scope}!server={owner}/{server}"}
        return bool(hub.check_scopes(wanted, known))
