"""The paths of the shell. A domain's page defines its own path."""

HOME_PATH = "/admin"
PAGES_PATH = "/admin/data-pipeline"
SETTINGS_PATH = "/admin/settings"
SIGN_IN_PATH = "/admin/sign-in"
SIGN_IN_LINK_PATH = "/admin/sign-in/link"
SIGN_OUT_PATH = "/admin/sign-out"
STATIC_PATH = "/admin/static"
API_PATH = "/api/v1"


def own_path(path: str) -> str:
    """`path` if it is an address of these pages, else the home page, so that a form can't lead to another site."""
    is_ours = path == HOME_PATH or path.startswith((f"{HOME_PATH}/", f"{HOME_PATH}?"))
    fits = is_ours and "\\" not in path and "//" not in path and path.isprintable()
    return path if fits else HOME_PATH
