"""The judge `openai`: a language model behind any endpoint with OpenAI's chat completions API.

A call is retried after a rate limit (429), a server error (5xx), a network error or a timeout. The pause before it is
the one that the server asks for, or else twice the last pause. Every call is counted, and answers in the required form
are cached on disk for all runs; both work with several processes. The API key is sent, but never written or shown. A
model's reasoning, in its own field or content part, is ignored.
"""

import hashlib
import json
import os
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import Annotated, Any

import requests
from filelock import FileLock
from pydantic import Field, field_validator
from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt
from urllib3.exceptions import InvalidHeader
from urllib3.util import Retry

from jsdpipe.base.errors import UserError
from jsdpipe.base.fields import NonEmpty, Seconds
from jsdpipe.base.files import read_json, write_json
from jsdpipe.models.language_judge import Answer, LanguageJudge
from jsdpipe.models.questions import PROMPT_VERSION, Messages
from jsdpipe.models.roles import JUDGES
from jsdpipe.models.settings import Endpoint

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 120.0
AGAIN = {408, 409, 425, 429}  # status codes that are retried, besides 5xx
MALFORMED = {400, 422}
CUT = {"length", "content_filter"}  # finish reasons of answers that were cut off


class _Busy(Exception):
    """A failed call that may succeed later: after `after` seconds, if the server states a pause."""

    def __init__(self, line: str, after: float | None = None) -> None:
        super().__init__(line)
        self.after = after


@JUDGES.register("openai")
class EndpointJudge(LanguageJudge):
    """A judge that asks the endpoint if the cache has no answer; every attempt counts as a call."""

    class Settings(Endpoint):
        """A language model behind an endpoint with OpenAI's chat completions API."""

        fields: dict[str, Any] = Field(
            default={},
            description="further fields of the request, such as temperature (default 0); null leaves one out",
        )
        system_role: bool = Field(default=True, description="false: the instructions are part of the user's message")
        timeout_s: Seconds = Field(default=60.0, description="seconds for one complete answer")
        retries: Annotated[int, Field(ge=0, le=100)] = 5
        cache: NonEmpty = Field(default="results/answers", description="folder of cached answers, which runs share")
        unscored = Endpoint.unscored | {"timeout_s", "retries", "cache"}

        @field_validator("fields")
        @classmethod
        def _free(cls, fields: dict[str, Any]) -> dict[str, Any]:
            if taken := sorted(fields.keys() & {"model", "messages", "stream", "n"}):
                raise ValueError(f"must not set {', '.join(taken)}")
            return fields

    def __init__(self, settings: Settings, device: str = "cpu", calls: Path | None = None) -> None:
        super().__init__(settings.system_role)
        self._settings, self._calls = settings, calls or Path(settings.cache) / "calls.json"
        self._sent = {key: value for key, value in ({"temperature": 0} | settings.fields).items() if value is not None}
        sent = json.dumps(self._sent | ({} if settings.system_role else {"system_role": False}), sort_keys=True)
        self.identity = f"{settings.model} at {settings.base_url} {sent}, prompts {PROMPT_VERSION}"
        self._session = requests.Session()
        self._key = os.environ.get(settings.key_env, "").strip() if settings.key_env else ""
        variable = f"alignment.judge.key_env: the variable {settings.key_env}"
        if settings.key_env and not self._key:
            raise UserError(f"{variable} is not set; export the API key in it")
        if not (self._key.isascii() and self._key.isprintable()):
            raise UserError(f"{variable} has characters that are invalid in a key; export only the key in it")

    def _answer(self, messages: Messages, understood: Callable[[Answer], bool]) -> Answer:
        """The cached answer to a request, or a new one; only one process at a time sends the same request."""
        body = {"model": self._settings.model, "messages": messages, **self._sent}
        request = {"base_url": self._settings.base_url, "body": body, "prompts": PROMPT_VERSION}
        key = hashlib.sha256(json.dumps(request, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
        path = Path(self._settings.cache) / key[:2] / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(path.parent / "lock"):
            if path.is_file() and understood(kept := Answer(read_json(path)["answer"])):
                return kept
            if understood(answer := self._ask_until_answered(body)):
                write_json(path, {"request": request, "answer": answer.text})
            return answer

    def _ask_until_answered(self, body: dict[str, Any]) -> Answer:
        tries = self._settings.retries + 1
        attempts = Retrying(
            stop=stop_after_attempt(tries), wait=_pause, retry=retry_if_exception_type(_Busy), reraise=True
        )
        try:
            return attempts(self._call, body)
        except _Busy as error:
            raise UserError(
                f"{self._settings.base_url}: the judge did not answer, though asked {tries} times ({error}); "
                "run again later (all answers so far are kept)"
            ) from None

    def _call(self, body: dict[str, Any]) -> Answer:
        self._count()
        address, limit = f"{self._settings.base_url}/chat/completions", self._settings.timeout_s
        try:
            response = _within(
                limit,
                lambda: self._session.post(address, json=body, timeout=limit, auth=self._sign, allow_redirects=False),
            )
        except (requests.Timeout, TimeoutError):
            raise _Busy(f"no answer within {limit:g} s") from None
        except requests.RequestException as error:
            # e.g. "Max retries exceeded ... (Caused by NewConnectionError("...: [Errno 111] Connection refused"))"
            raise _Busy(str(error).rpartition(": ")[2].rstrip("\"')")) from None
        said = f"status {response.status_code}: {self._message(response)}"
        if response.status_code in AGAIN or response.status_code >= 500:
            raise _Busy(said, _asked_pause(response))
        if response.status_code != 200:
            remedy = "correct alignment.judge"
            if response.status_code in MALFORMED:
                remedy += (
                    " (`fields` sets fields of the request, or removes one by null; `system_role: false` sends no "
                    "system message)"
                )
            raise UserError(f"{address}: refused ({said}); {remedy}")
        try:
            choice = response.json()["choices"][0]
            content = choice["message"]["content"]
            return Answer(_text(content), choice.get("finish_reason") not in CUT)
        except (ValueError, LookupError, TypeError, AttributeError):
            raise _Busy(f"not a chat completion: {self._message(response)}") from None

    def _count(self) -> None:
        """Count one call before it is made; raises `UserError` if it would exceed `max_calls`."""
        limit = self._settings.max_calls
        self._calls.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(self._calls.with_suffix(".lock")):
            made = read_json(self._calls)["calls"] if self._calls.is_file() else 0
            if limit is not None and made >= limit:
                raise UserError(
                    f"{self._calls}: the judge has been called {made} times, and alignment.judge.max_calls is {limit}; "
                    "raise it and run again (all answers so far are kept)"
                )
            write_json(self._calls, {"calls": made + 1})

    def _sign(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Add the key; used as `auth`, because requests would replace a plain header by a password from ~/.netrc."""
        if self._key:
            request.headers["Authorization"] = f"Bearer {self._key}"
        return request

    def _message(self, response: requests.Response) -> str:
        """The server's error message, with the key masked."""
        try:
            text = str(response.json()["error"]["message"])
        except (ValueError, LookupError, TypeError):
            text = response.text
        line = " ".join(text.split())[:200] or "nothing said"
        return line.replace(self._key, "***") if self._key else line


def _text(content: Any) -> str:
    """The text of a message's content, which may be null (the model declines), or a list of parts of several types."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    return content if isinstance(content, str) else ""


def _within(seconds: float, call: Callable[[], requests.Response]) -> requests.Response:
    """The result of a call; raises `TimeoutError` if it takes longer in total.

    A socket's timeout restarts with every byte, so a server that keeps sending blanks would block the job forever.
    """
    future: Future[requests.Response] = Future()

    def run() -> None:
        try:
            future.set_result(call())
        except Exception as error:
            future.set_exception(error)

    Thread(target=run, daemon=True).start()
    return future.result(timeout=seconds)


def _pause(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    if isinstance(error, _Busy) and error.after is not None:
        return min(error.after, LONGEST_PAUSE_S)
    return min(FIRST_PAUSE_S * 2.0 ** (state.attempt_number - 1), LONGEST_PAUSE_S)


def _asked_pause(response: requests.Response) -> float | None:
    """The seconds that a Retry-After header states, as a number or a date; None without one."""
    try:
        return Retry().parse_retry_after(response.headers["Retry-After"])
    except (KeyError, InvalidHeader):
        return None
