"""For `make docs`: links of docs/ to files beside it lead to the source on the forge, since the site holds docs/ alone; and names are not
broken in the middle.
"""

import re
from typing import Any

#: `](../examples/README.md)`: out of docs/.
_OUTSIDE = re.compile(r"\]\(\.\./(?=(?:examples|config|deploy|bench|tests|streams|[A-Z]+\.md)\b)")
#: A name, an option or a short command: a browser breaks `--json` after its hyphens.
_SHORT_CODE = re.compile(r"<code>(?=[^<]{1,32}</code>)")


def on_page_markdown(markdown: str, *, page: Any, config: Any, **_others: Any) -> str:
    """MkDocs calls it for each page before it is rendered."""
    if "/" in page.file.src_uri:  # below docs/, `../` is docs/ itself
        return markdown
    return _OUTSIDE.sub(f"]({config.extra['source']}/", markdown)


def on_page_content(html: str, **_others: Any) -> str:
    """MkDocs calls it for each page once it is rendered."""
    return _SHORT_CODE.sub('<code class="name">', html)
