"""Exit 0 when every line of the first file is in the second, in its order; else name the first that is not."""

import pathlib
import sys

before, now = (pathlib.Path(path).read_text(encoding="utf-8").splitlines() for path in sys.argv[1:3])
left = iter(now)
for line in before:
    if line not in left:
        sys.exit(f"no longer there, or in another place: {line}")
