"""antsibull-docs over modules, role and docsite; changelog fragments.

`./dev docs site` builds the pages into .dev/site/build/html; `./dev docs causes` writes the list of causes into the
troubleshooting guide from the code's list.
"""

from __future__ import annotations

import shlex
import shutil

import environments
import machine
import steps
import tree


def parts(arguments: list[str]) -> list[steps.Step]:
    if arguments == ["site"]:
        return [steps.Step("docs site", _site)]
    if arguments == ["causes"]:
        return [steps.Step("docs causes", _write_causes)]
    return [
        steps.Step("docs lint", _lint),
        steps.Step("docs causes", _compare_causes),
        steps.Step("docs changelog", _changelog),
    ]


def _lint(log: steps.Run) -> None:
    environment = environments.prepare("test")
    copy = tree.copy("docs")
    variables = environment.variables(ANSIBLE_COLLECTIONS_PATH=str(tree.collections_path(copy)))
    del variables["ANSIBLE_CONFIG"]
    command = [environment.tool("antsibull-docs"), "lint-collection-docs", "--plugin-docs", "--skip-rstcheck"]
    command += ["--validate-collection-refs", "all", "."]
    log.call(command, environment=variables, folder=copy)


def _changelog(log: steps.Run) -> None:
    environment = environments.prepare("test")
    log.call(
        [environment.tool("antsibull-changelog"), "lint"],
        environment=environment.variables(),
        folder=tree.copy("changelog"),
    )


def _site(log: steps.Run) -> None:
    """HTML of the whole documentation, without looking anything up on the network."""
    environment = environments.prepare("test")
    copy = tree.copy("docs")
    variables = environment.variables(ANSIBLE_COLLECTIONS_PATH=str(tree.collections_path(copy)))
    del variables["ANSIBLE_CONFIG"]
    site = machine.PLACE / "site"
    shutil.rmtree(site, ignore_errors=True)
    site.mkdir(parents=True)
    command = [environment.tool("antsibull-docs"), "sphinx-init", "--use-current", "--squash-hierarchy", "--lenient"]
    command += ["--sphinx-theme", "alabaster", "--dest-dir", site, "listening.tentacle"]
    log.call(command, environment=variables)
    configuration = site / "conf.py"
    # Commands and what they print are long lines.
    settings = '\nintersphinx_mapping = {}\nhtml_theme_options = {"page_width": "1280px"}\n'
    configuration.write_text(configuration.read_text() + settings)
    # antsibull-docs takes the guides' text and leaves their pictures.
    build = site / "build.sh"
    pictures = f"cp -R {shlex.quote(str(copy / 'docs' / 'docsite' / 'rst' / 'images'))} rst/docsite/\nsphinx-build "
    build.write_text(build.read_text().replace("sphinx-build ", pictures, 1))
    log.call(["bash", "build.sh"], environment=variables, folder=site)
    log.say(f"open {site / 'build' / 'html' / 'index.html'}")


_GUIDE = machine.ROOT / "docs" / "docsite" / "rst" / "guide_troubleshooting.rst"
_PRINT_CAUSES = """
import sys
sys.path.insert(0, "plugins")
from module_utils._verify import causes
for cause in causes.CAUSES.values():
    side = f"Side: {cause.side}. " if cause.side else ""
    print(f"``{cause.word}``\\n    {side}{cause.summary}\\n")
    print(f"    *Sign:* {cause.sign}\\n\\n    *Next:* {cause.remedy}\\n")
"""


def _guide_with_causes(log: steps.Run) -> str:
    environment = environments.prepare("test")
    listed = log.call([environment.python, "-c", _PRINT_CAUSES], environment=environment.variables())
    text = _GUIDE.read_text(encoding="utf-8")
    before, begin, rest = text.partition(".. causes: begin\n")
    _old, end, after = rest.partition(".. causes: end")
    return f"{before}{begin}\n{listed}\n{end}{after}"


def _write_causes(log: steps.Run) -> None:
    _GUIDE.write_text(_guide_with_causes(log), encoding="utf-8")


def _compare_causes(log: steps.Run) -> None:
    if _GUIDE.read_text(encoding="utf-8") != _guide_with_causes(log):
        raise steps.Failed(f"{_GUIDE.name} has another list than the code: run ./dev docs causes")
