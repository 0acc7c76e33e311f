"""Which settings of conda there are: those that are honoured here, and how each is written.

The names are those of conda's documentation (“Settings”) and of ``conda config --describe``.
"""

from __future__ import annotations

import msgspec


class Parameter(msgspec.Struct, frozen=True, kw_only=True):
    """How a setting is written; ``kind`` as in `merging`, with ``truth``, ``number`` and ``whole`` for texts."""

    kind: str
    aliases: tuple[str, ...] = ()
    delimiter: str = ","
    """What separates the items in a variable."""
    expands: bool = False
    """Whether variables in its values are replaced."""


#: What is honoured.
HONOURED: dict[str, Parameter] = {
    "channels": Parameter(kind="list", aliases=("channel",), expands=True),
    "channel_alias": Parameter(kind="text", expands=True),
    "custom_channels": Parameter(kind="map", expands=True),
    "custom_multichannels": Parameter(kind="lists", expands=True),
    "default_channels": Parameter(kind="list", expands=True),
    "migrated_channel_aliases": Parameter(kind="list"),
    "channel_priority": Parameter(kind="text"),
    "denylist_channels": Parameter(kind="list", expands=True),
    "allowlist_channels": Parameter(kind="list", aliases=("whitelist_channels",), expands=True),
    "override_channels_enabled": Parameter(kind="truth"),
    "envs_dirs": Parameter(kind="list", aliases=("envs_path",), delimiter=":", expands=True),
    "pkgs_dirs": Parameter(kind="list", expands=True),
    "proxy_servers": Parameter(kind="map", expands=True),
    "ssl_verify": Parameter(kind="text", aliases=("verify_ssl",), expands=True),
    "offline": Parameter(kind="truth"),
    "pinned_packages": Parameter(kind="list", delimiter="&"),
    "add_pip_as_python_dependency": Parameter(kind="truth"),
    "always_copy": Parameter(kind="truth", aliases=("copy",)),
    "allow_softlinks": Parameter(kind="truth"),
    "remote_connect_timeout_secs": Parameter(kind="number"),
    "remote_read_timeout_secs": Parameter(kind="number"),
    "remote_max_retries": Parameter(kind="whole"),
}

#: What changes nothing of an environment that is made here: prompts, output, threads, updates of conda itself.
HARMLESS = frozenset(
    {
        *("auto_activate", "auto_activate_base", "auto_stack", "auto_update_conda", "self_update", "changeps1"),
        *("default_activation_env", "env_prompt", "envvars_force_uppercase", "notify_outdated_conda"),
        *("number_channel_notices", "report_errors", "error_upload_url", "always_yes", "yes", "quiet", "verbose"),
        *("verbosity", "debug", "trace", "dev", "json", "console", "list_fields", "show_channel_urls", "use_pip"),
        *("anaconda_upload", "binstar_upload", "add_anaconda_token", "add_binstar_token", "conda_build"),
        *("conda-build", "croot", "bld_path", "allow_conda_downgrades", "allow_cycles", "no_plugins", "no_lock"),
        *("default_threads", "repodata_threads", "fetch_threads", "verify_threads", "execute_threads"),
        *("repodata_fns", "repodata_use_zst", "repodata_use_shards", "local_repodata_ttl", "use_index_cache"),
        *("remote_backoff_factor", "solver", "experimental_solver", "sat_solver", "unsatisfiable_hints"),
        *("unsatisfiable_hints_check_depth", "shortcuts", "shortcuts_only", "environment_specifier", "env_spec"),
        *("export_platforms", "extra_platforms", "experimental", "preview", "prefix_data_interoperability"),
        *("pip_interop_enabled", "non_admin_enabled", "dry_run", "separate_format_cache", "devenv", "installer_type"),
    }
)

#: What conda knows besides. In a file any other name is told, too; among the variables only these are settings.
OTHERS = frozenset(
    {
        *("aggressive_update_packages", "allow_non_channel_urls", "always_softlink", "softlink", "channel_settings"),
        *("client_ssl_cert", "client_cert", "client_ssl_cert_key", "client_cert_key", "clobber", "cooldown"),
        *("cooldown_exclude", "create_default_packages", "default_python", "deps_modifier", "disallow"),
        *("disallowed_packages", "download_only", "enable_private_envs", "exclude_newer", "exclude_newer_package"),
        *("extra_safety_checks", "force", "force_32bit", "force_reinstall", "force_remove", "ignore_pinned"),
        *("migrated_custom_channels", "override_virtual_packages", "virtual_packages", "path_conflict"),
        *("protect_frozen_envs", "register_envs", "rollback_enabled", "root_dir", "root_prefix", "safety_checks"),
        *("signing_metadata_url_base", "solver_ignore_timestamps", "subdir", "subdirs", "target_prefix_override"),
        *("track_features", "update_modifier", "use_local", "use_only_tar_bz2"),
    }
)
