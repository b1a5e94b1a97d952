from __future__ import annotations

import ast
import pathlib

from module_utils._halibut import limits


def numbers() -> dict[str, object]:
    return {name: value for name, value in vars(limits).items() if name.isupper()}


def test_every_limit_is_a_positive_number_with_a_reason():
    body = ast.parse(pathlib.Path(limits.__file__).read_text(encoding="utf-8")).body
    explained = {
        node.targets[0].id
        for node, following in zip(body, body[1:])
        if isinstance(node, ast.Assign)
        and isinstance(following, ast.Expr)
        and isinstance(following.value, ast.Constant)
    }
    assert explained == set(numbers())
    for value in numbers().values():
        assert all(number > 0 for number in (value if isinstance(value, tuple) else (value,)))


def test_the_limits_agree_with_each_other():
    assert limits.MAX_STRING <= limits.MAX_DOCUMENT < limits.MAX_DEFLATED
    assert limits.STORED_BELOW < limits.SINGLE_READ < limits.MAX_DOCUMENT
    assert limits.STORED_BELOW <= 0xFFFF
    assert limits.MAX_REQUEST_ELEMENTS <= limits.MAX_RESPONSE_ELEMENTS
    assert limits.POOLED_SECONDS < limits.REQUEST_IDLE_SECONDS
