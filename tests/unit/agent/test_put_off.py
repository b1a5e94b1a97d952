"""Modules that are imported later than a library asks for: nothing is missing afterwards, for nobody."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import textwrap

ROOTS = [path for path in sys.path if (pathlib.Path(path) / "tentacle_agent").is_dir()]
SHARED = [path for path in sys.path if (pathlib.Path(path) / "module_utils").is_dir()]


def run(program: str, library: pathlib.Path | None = None) -> str:
    """What a fresh interpreter prints; a library's directory comes in front of everything else."""
    path = [str(library)] * (library is not None) + ROOTS + SHARED
    head = f"import sys; sys.path[:0] = {path!r}\n"
    done = subprocess.run(
        [sys.executable, "-I", "-c", head + textwrap.dedent(program)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_the_listener_starts_without_what_it_does_not_need() -> None:
    loaded = run(
        """
        import tentacle_agent.tls
        from tentacle_agent.put_off import OF_PYOPENSSL
        print(*[name for name in OF_PYOPENSSL if name in sys.modules])
        """
    )
    assert loaded == ""


def test_an_agent_starts_without_large_modules_that_it_needs_later_or_never() -> None:
    """Each of them, with what it brings, would take two to ten per cent of a start; see bench/README.md."""
    large = ["cryptography.x509", "dataclasses", "datetime", "email", "ipaddress", "shutil", "subprocess",
             "urllib.parse"]
    if sys.version_info < (3, 13):  # later the library's own warnings bring it
        large.append("inspect")
    loaded = run(
        f"""
        import tentacle_agent.__main__, tentacle_agent.runtime
        print(*[name for name in {large!r} if name in sys.modules])
        """
    )
    assert loaded == ""


def test_the_log_brings_what_it_needs_for_tracebacks_with_the_first_one() -> None:
    printed = run(
        """
        from tentacle_agent.commands import run
        class Context:
            def select(self, options):
                print(*[name for name in ("traceback",) if name in sys.modules])
                raise SystemExit
        try:
            run.execute(None, Context())
        except SystemExit:
            import logging
            logging.basicConfig(stream=sys.stdout)
            logging.exception("loud")
        """
    )
    assert printed.startswith("ERROR:root:loud\nTraceback (most recent call last):\n")
    assert printed.endswith("SystemExit")


def test_everybody_else_gets_the_real_module() -> None:
    answer = run(
        """
        import tentacle_agent.tls
        from cryptography import x509
        from cryptography.hazmat.primitives.asymmetric import ec
        import calendar, inspect
        key = ec.generate_private_key(ec.SECP256R1())
        print(x509.__file__ is not None, isinstance(key, ec.EllipticCurvePrivateKey), calendar.isleap(2024),
              inspect.signature(len))
        """
    )
    assert answer == "True True True (obj, /)"


PARTS_OF_THE_LIBRARY = """
    import types
    from OpenSSL import SSL, crypto
    def describe(thing):
        while hasattr(thing, "__wrapped__"):
            thing = thing.__wrapped__
        code = getattr(thing, "__code__", None)
        return (type(thing).__name__, code and (code.co_name, code.co_firstlineno))
    for module in (SSL, crypto):
        for name, member in sorted(vars(module).items()):
            own = getattr(member, "__module__", None) == module.__name__
            if own and isinstance(member, (type, types.FunctionType)):
                print(module.__name__, name, describe(member))
                for part, inner in sorted(vars(member).items()):
                    if isinstance(inner, types.FunctionType):
                        print(module.__name__, name, part, describe(inner))
"""


def test_the_library_is_made_of_the_same_functions() -> None:
    plain, light = run(PARTS_OF_THE_LIBRARY), run("    import tentacle_agent.tls" + PARTS_OF_THE_LIBRARY)
    assert light == plain
    assert light.count("\n") > 100


def test_the_library_can_still_convert() -> None:
    answer = run(
        """
        import tentacle_agent.tls as tls
        key = tls.crypto.PKey()
        key.generate_key(tls.crypto.TYPE_RSA, 2048)
        again = tls.crypto.PKey.from_cryptography_key(key.to_cryptography_key())
        print(again.bits(), again.type() == tls.crypto.TYPE_RSA)
        """
    )
    assert answer == "2048 True"


def test_what_the_library_took_from_a_stand_in_works_later(tmp_path: pathlib.Path) -> None:
    """As cryptography 3 does, which keeps `inspect.signature` and checks every cipher's class with it."""
    package = tmp_path / "OpenSSL"
    package.mkdir()
    (package / "__init__.py").write_text("from . import SSL, crypto\n")
    (package / "crypto.py").write_text("")
    (package / "SSL.py").write_text("import calendar\nisleap = calendar.isleap\n")
    answer = run(
        """
        import tentacle_agent.tls as tls
        print(tls.SSL.isleap.__module__ == "calendar", tls.SSL.isleap(2024), tls.SSL.isleap(year=2023))
        """,
        tmp_path,
    )
    assert answer == "False True False"


def test_a_library_that_needs_more_is_imported_again_without_stand_ins(tmp_path: pathlib.Path) -> None:
    package = tmp_path / "OpenSSL"
    package.mkdir()
    (package / "__init__.py").write_text("from . import SSL, crypto\n")
    (package / "crypto.py").write_text("")
    (package / "SSL.py").write_text("from cryptography import x509\nDESCRIBE = x509.Name.rfc4514_string\n")
    answer = run("import tentacle_agent.tls as tls; print(tls.SSL.DESCRIBE.__name__)", tmp_path)
    assert answer == "rfc4514_string"


def test_a_missing_library_is_missed(tmp_path: pathlib.Path) -> None:
    package = tmp_path / "OpenSSL"
    package.mkdir()
    (package / "__init__.py").write_text("raise ImportError('no OpenSSL here')\n")
    answer = run(
        """
        try:
            import tentacle_agent.tls
        except ImportError as error:
            print(error, *[name for name in sys.modules if name.startswith("cryptography.x509")])
        """,
        tmp_path,
    )
    assert answer == "no OpenSSL here"
