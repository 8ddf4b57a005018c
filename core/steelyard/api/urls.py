"""What a URL of ours may be, as one rule for files and the API server."""

import re
from urllib.parse import urlsplit

PATH = r"/([!\"$&->@-~]|%[0-9A-Fa-f]{2})*"
"""A URL's path in printable ASCII, without query and fragment."""

URL = rf"^https?://([0-9A-Za-z_][-.0-9A-Za-z_]*|\[[0-9A-Fa-f:.]+\])(:[1-9][0-9]{{0,4}})?({PATH})?$"
"""A base URL, but for what its brackets hold and a port above 65535."""


def url_is_sound(url: str) -> bool:
    try:
        return re.fullmatch(URL, url) is not None and urlsplit(url).port != 0
    except ValueError:  # no address in the brackets, or a port above 65535
        return False
