"""The one shape of errors, and how bodies are read."""

import io
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask, g, redirect
from flask.testing import FlaskClient
from marshmallow import RAISE, Schema, ValidationError, fields
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from werkzeug.exceptions import ImATeapot
from werkzeug.test import TestResponse

from app.core.api import (
    ApiBlueprint,
    ProblemApi,
    json_response,
    register_errors,
    security_headers,
)
from app.core.errors import PROBLEMS, Conflict, ProblemError, TooManyRequests
from app.core.fields import Shape, WholeNumber


class Inner(Schema):
    number = WholeNumber()


class Body(Schema):
    class Meta:
        unknown = RAISE

    number = WholeNumber(required=True)
    inner = fields.Nested(Inner)


def small_app() -> Flask:
    app = Flask("small")
    app.config.update(
        MAX_CONTENT_LENGTH=1000, API_TITLE="Small", API_VERSION="v1", OPENAPI_VERSION="3.1.0",
        OPENAPI_URL_PREFIX="/",
    )  # fmt: skip
    register_errors(app)
    app.after_request(security_headers)
    blueprint: Any = ApiBlueprint("small", __name__)

    @blueprint.route("/number", methods=["POST"])
    @blueprint.arguments(Body)
    @blueprint.response(200, Body)
    def number(body: dict[str, Any]) -> Any:
        return json_response(body)

    @app.get("/raise/<name>")
    def raise_(name: str) -> Any:
        raise ERRORS[name]

    @app.get("/moved")
    def moved() -> Any:
        return redirect("/elsewhere", 307)

    ProblemApi(app).register_blueprint(blueprint)
    return app


ERRORS: dict[str, Exception] = {
    "conflict": Conflict("It was changed meanwhile.", headers={"X-Try": "again"}),
    "many": TooManyRequests("Slow down.", retry_after_seconds=7),
    "teapot": ImATeapot(),
    "unforeseen": RuntimeError("boom"),
    "operational": OperationalError("SELECT 1", {}, ConnectionRefusedError("down")),
    "pool": PoolTimeout("no connection left"),
}


@pytest.fixture
def small(logged: io.StringIO) -> Iterator[FlaskClient]:
    with small_app().test_client() as client:
        yield client


def problem(response: TestResponse) -> dict[str, Any]:
    assert response.content_type == "application/problem+json"
    body: dict[str, Any] = json.loads(response.data)
    assert body["status"] == response.status_code
    return body


def test_our_errors_keep_title_detail_and_headers(small: FlaskClient) -> None:
    response = small.get("/raise/conflict")

    assert problem(response) == {
        "type": "/docs/problems#conflict",
        "title": "Conflict",
        "status": 409,
        "detail": "It was changed meanwhile.",
    }
    assert response.headers["X-Try"] == "again"


def test_too_many_requests_says_when_to_go_on(small: FlaskClient) -> None:
    response = small.get("/raise/many")

    assert problem(response)["type"] == "/docs/problems#too-many-requests"
    assert response.headers["Retry-After"] == "7"


@pytest.mark.parametrize("name", ["operational", "pool"])
def test_a_database_that_is_down_is_503_with_retry_after(
    small: FlaskClient, logged: io.StringIO, name: str
) -> None:
    response = small.get(f"/raise/{name}")

    assert problem(response) == {
        "type": "/docs/problems#unavailable",
        "title": "Unavailable",
        "status": 503,
        "detail": "The database does not answer. Try again in a few seconds.",
    }
    assert response.headers["Retry-After"] == "5"
    (line,) = logged.getvalue().splitlines()
    assert (json.loads(line)["event"], json.loads(line)["route"]) == ("database_unavailable", "/raise/<name>")


def test_what_nobody_foresaw_is_500_and_logged_by_route(small: FlaskClient, logged: io.StringIO) -> None:
    response = small.get("/raise/unforeseen?key=pk_seen")

    assert problem(response) == {
        "type": "/docs/problems#internal",
        "title": "Internal error",
        "status": 500,
        "detail": "Something went wrong here. It has been logged.",
    }
    line = json.loads(logged.getvalue())
    assert (line["event"], line["route"]) == ("unhandled_error", "/raise/<name>")
    assert "RuntimeError: boom" in line["exception"]
    assert "pk_seen" not in logged.getvalue()


def test_a_status_without_an_explanation_of_ours_is_about_blank(small: FlaskClient) -> None:
    body = problem(small.get("/raise/teapot"))

    assert (body["type"], body["title"], body["status"]) == ("about:blank", "I'm a teapot", 418)


def test_an_unknown_address_is_404(small: FlaskClient) -> None:
    assert problem(small.get("/nothing"))["type"] == "/docs/problems#not-found"


def test_a_wrong_method_is_405_and_keeps_allow(small: FlaskClient) -> None:
    response = small.get("/number")

    assert problem(response)["type"] == "/docs/problems#method-not-allowed"
    assert set(response.headers["Allow"].split(", ")) == {"POST", "OPTIONS"}


def test_a_redirect_stays_a_redirect(small: FlaskClient) -> None:
    response = small.get("/moved")

    assert (response.status_code, response.headers["Location"]) == (307, "/elsewhere")


@pytest.mark.parametrize("address", ["/nothing", "/raise/unforeseen", "/moved"])
def test_every_answer_carries_the_security_headers(small: FlaskClient, address: str) -> None:
    headers = small.get(address).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"


@pytest.mark.parametrize(
    ("body", "invalid"),
    [
        (b"[]", [{"name": "body", "reason": "Invalid input type."}]),
        (b'"x"', [{"name": "body", "reason": "Invalid input type."}]),
        (b"null", [{"name": "body", "reason": "Invalid input type."}]),
        (b"7", [{"name": "body", "reason": "Invalid input type."}]),
        (b"", [{"name": "number", "reason": "Missing data for required field."}]),
        (b"{}", [{"name": "number", "reason": "Missing data for required field."}]),
        (b'{"number": "1"}', [{"name": "number", "reason": "Not a valid integer."}]),
        (b'{"number": 1.5}', [{"name": "number", "reason": "Not a valid integer."}]),
        (b'{"number": true}', [{"name": "number", "reason": "Not a valid integer."}]),
        (b'{"number": 1, "inner": {"number": "x"}}', [{"name": "inner.number", "reason": "Not a valid integer."}]),
        (b'{"number": 1, "inner": []}', [{"name": "inner", "reason": "Invalid input type."}]),
        (
            b'{"numbr": 1}',
            [
                {"name": "number", "reason": "Missing data for required field."},
                {"name": "numbr", "reason": "Unknown field."},
            ],
        ),
    ],
    ids=["list", "string", "null", "number", "nothing", "empty", "text", "float", "bool", "nested", "list inside",
         "unknown"],
)  # fmt: skip
def test_wrong_bodies_name_what_is_wrong(
    small: FlaskClient, body: bytes, invalid: list[dict[str, str]]
) -> None:
    answer = problem(small.post("/number", data=body, content_type="application/json"))

    assert answer["invalid_params"] == invalid
    assert answer == {
        "type": "/docs/problems#invalid-parameters",
        "title": "Invalid parameters",
        "status": 422,
        "detail": "; ".join(f"{p['name']}: {p['reason']}" for p in invalid),
        "invalid_params": invalid,
    }


@pytest.mark.parametrize(
    "body",
    [b"{", b'{"number": NaN}', b'{"number": Infinity}', b"[" * 900 + b"]" * 90, b'"\\ud800"', b'"\xff"', b"number=1"],
    ids=["cut", "NaN", "Infinity", "unbalanced", "lone surrogate", "not UTF-8", "a form"],
)  # fmt: skip
def test_what_is_not_json_is_400(small: FlaskClient, body: bytes) -> None:
    answer = problem(small.post("/number", data=body, content_type="application/json"))

    assert answer == {
        "type": "/docs/problems#bad-request",
        "title": "Bad request",
        "status": 400,
        "detail": "The body is not JSON.",
    }


def test_nesting_without_end_is_400_not_a_crash(small: FlaskClient) -> None:
    app = small_app()
    app.config["MAX_CONTENT_LENGTH"] = 1_000_000
    deep = b'{"number":' * 50_000 + b"1" + b"}" * 50_000

    answer = problem(app.test_client().post("/number", data=deep, content_type="application/json"))

    assert answer["detail"] == "The body is not JSON."


def test_another_media_type_is_415(small: FlaskClient) -> None:
    answer = problem(small.post("/number", data=b'{"number": 1}', content_type="text/plain"))

    assert answer["type"] == "/docs/problems#unsupported-media-type"
    assert answer["detail"] == "The body must be JSON, sent as application/json."


def test_a_json_dialect_is_json(small: FlaskClient) -> None:
    response = small.post("/number", data=b'{"number": 1}', content_type="application/vnd.shop+json")

    assert (response.status_code, response.json) == (200, {"number": 1})


@pytest.mark.parametrize("body", [b'{"number": 7}', b'{"number": 7.0}', b'{"number": 7e0}'])
def test_a_whole_number_is_what_json_schema_calls_integer(small: FlaskClient, body: bytes) -> None:
    response = small.post("/number", data=body, content_type="application/json")

    assert response.text == '{"number":7}'


def test_a_body_over_the_limit_is_413(small: FlaskClient) -> None:
    answer = problem(small.post("/number", data=b" " * 1001, content_type="application/json"))

    assert answer["type"] == "/docs/problems#too-large"
    assert answer["detail"] == "The body is larger than 1000 bytes."


def test_a_body_that_hides_its_length_is_413(small: FlaskClient) -> None:
    response = small.post(
        "/number",
        input_stream=io.BytesIO(b" " * 5000),
        content_type="application/json",
        environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
    )

    assert problem(response)["type"] == "/docs/problems#too-large"


def test_a_page_that_was_let_in_may_read_why_it_was_refused() -> None:
    app = small_app()

    @app.before_request
    def let_in() -> None:
        g.allowed_origin = "https://shop.example"

    response = app.test_client().get("/nothing")

    assert response.headers["Access-Control-Allow-Origin"] == "https://shop.example"
    assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize("text", ["abc\n", "abc\r\n", "", "Abc", "abc "])
def test_a_shape_matches_the_whole_text(text: str) -> None:
    with pytest.raises(ValidationError, match=r"^No\.$"):
        Shape("^[a-z]+$", error="No.")(text)


def test_a_shape_returns_what_matches() -> None:
    assert Shape("^[a-z]+$")("abc") == "abc"


def test_every_kind_of_problem_has_its_own_status_and_slug() -> None:
    def kinds(kind: type[ProblemError]) -> Iterator[type[ProblemError]]:
        yield kind
        for inner in kind.__subclasses__():
            yield from kinds(inner)

    every = list(kinds(ProblemError))

    assert len({kind.slug for kind in every}) == len(every) == len(PROBLEMS)
    assert {kind.status for kind in every} == set(PROBLEMS)
    assert all((kind.__doc__ or "").strip() for kind in every)


def test_operations_promise_problems_in_the_shape_that_is_sent(small: FlaskClient) -> None:
    document = small.get("/openapi.json").get_json()

    responses = document["paths"]["/number"]["post"]["responses"]
    assert set(responses) == {"200", "400", "401", "413", "415", "422", "429", "503", "default"}
    assert responses["422"] == {"$ref": "#/components/responses/UNPROCESSABLE_ENTITY"}
    assert document["components"]["responses"]["UNPROCESSABLE_ENTITY"] == {
        "description": "Invalid parameters",
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    }
    assert document["components"]["schemas"]["Problem"]["required"] == ["detail", "status", "title", "type"]


def test_nothing_is_at_an_address_that_no_text_of_postgresql_holds(client: FlaskClient) -> None:
    named = [rule for rule in client.application.url_map.iter_rules() if rule.arguments]
    assert len(named) > 20
    for rule in named:
        path = re.sub(r"<[^>]+>", "a%00b", rule.rule)
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}:
            response = client.open(path, method=method)
            assert (response.status_code, response.get_json()["title"]) == (404, "Not found"), (method, path)
