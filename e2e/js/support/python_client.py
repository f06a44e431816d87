"""A client of python-socketio that runs checks: python_client.py <sync|asyncio> <url> <transports> <check>...

Prints PASS or FAIL for each check, and READY when the connection is to be broken.
"""

import asyncio
import os
import sys

import socketio

WAIT_S = 8
# The synchronous client may notice the end of its websocket only when its queue of packets is empty for some seconds.
RECONNECT_S = 20
LEAVE_S = 3
NAMESPACES = ["/", "/admin", "/custom"]
OPTIONS = {"reconnection_delay": 0.2, "reconnection_delay_max": 1, "randomization_factor": 0}


class BlockingClient:
    """The synchronous client, its blocking calls made in threads."""

    def __init__(self):
        self.sio = socketio.Client(**OPTIONS)
        self.on = self.sio.on

    def __getattr__(self, name):
        attribute = getattr(self.sio, name)
        if not callable(attribute):
            return attribute

        async def in_thread(*args, **kwargs):
            return await asyncio.to_thread(attribute, *args, **kwargs)

        return in_thread


async def until(what, check, wait_s=WAIT_S):
    for _ in range(wait_s * 50):
        if check():
            return
        await asyncio.sleep(0.02)
    raise AssertionError(f"not within {wait_s} s: {what}")


def equal(actual, expected, what):
    if actual != expected:
        raise AssertionError(f"{what}: {actual!r} is not {expected!r}")


def listen(sio):
    """Keeps what the client hears: connections, disconnects with their reasons, events."""
    heard = {"connect": [], "disconnect": [], "message-back": []}

    def keep(event, namespace):
        def handler(*args):
            heard[event].append((namespace, *args))

        return handler

    for event in heard:
        for namespace in NAMESPACES:
            sio.on(event, keep(event, namespace), namespace=namespace)
    return heard


async def echoes(sio, value, event="echo", namespace="/"):
    equal(await sio.call(event, value, namespace=namespace, timeout=WAIT_S), value, f"{event} in {namespace}")


async def check_events(sio, heard):
    for value in ["text", 0, None, True, [1, "zwei", {"drei": 3.5}], {"größe": "ü🎉"}]:
        await echoes(sio, value)
    equal(await sio.call("echo", ("a", 2), timeout=WAIT_S), ("a", 2), "several values")


async def check_names(sio, heard):
    for event in ["größe", "room/join", "a&b"]:
        await echoes(sio, 1, event)


async def check_binary(sio, heard):
    for value in [b"\x00\x01\xff", b"", {"a": [b"one", {"b": b""}], "c": "text"}, bytes(900_000)]:
        await echoes(sio, value)
        heard["message-back"].clear()
        await sio.emit("message", value)
        await until("the event comes back", lambda: heard["message-back"])
        equal(heard["message-back"], [("/", value)], "the event")


async def check_namespaces(sio, heard):
    for namespace in NAMESPACES:
        await echoes(sio, namespace, namespace=namespace)
    await sio.emit("kick-me", namespace="/custom")
    await until("the server ends a namespace", lambda: heard["disconnect"])
    equal(heard["disconnect"], [("/custom", "server disconnect")], "the disconnect")
    await echoes(sio, "still here")
    heard["disconnect"].clear()


async def check_leaving(sio, heard):
    await asyncio.wait_for(sio.disconnect(), LEAVE_S)
    await until("the client has left all namespaces", lambda: len(heard["disconnect"]) == len(NAMESPACES))
    equal({reason for _, reason in heard["disconnect"]}, {"client disconnect"}, "the reasons")


async def check_reconnect(sio, heard):
    heard["connect"].clear()
    print("READY", flush=True)
    await until("the client is disconnected", lambda: len(heard["disconnect"]) == len(NAMESPACES), RECONNECT_S)
    reasons = {reason for _, reason in heard["disconnect"]}
    if not reasons <= {"transport close", "transport error"}:
        raise AssertionError(f"the reasons of the disconnect are {reasons}")
    await until("the client is connected again", lambda: len(heard["connect"]) == len(NAMESPACES), RECONNECT_S)
    await echoes(sio, "back")


CHECKS = {
    "events": check_events,
    "names": check_names,
    "binary": check_binary,
    "namespaces": check_namespaces,
    "leaving": check_leaving,
    "restart": check_reconnect,
    "ping timeout": check_reconnect,
}


async def run(kind, url, transports, checks):
    """Each check has a connection of its own."""
    for name in checks:
        sio = BlockingClient() if kind == "sync" else socketio.AsyncClient(**OPTIONS)
        heard = listen(sio)
        try:
            await sio.connect(url, transports=transports, namespaces=NAMESPACES, wait_timeout=WAIT_S)
            equal(sorted(namespace for namespace, *_ in heard["connect"]), NAMESPACES, "the namespaces")
            equal((sio.sio if kind == "sync" else sio).transport(), transports[-1], "the transport")
            await CHECKS[name](sio, heard)
            print(f"PASS {name}", flush=True)
        except Exception as error:
            print(f"FAIL {name}: {type(error).__name__} {error}", flush=True)
        try:
            await asyncio.wait_for(sio.shutdown(), LEAVE_S)
        except TimeoutError:
            print(f"FAIL {name}: the connection is still open {LEAVE_S} s after it was closed", flush=True)
    # Threads of the synchronous client may still run.
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(run(sys.argv[1], sys.argv[2], sys.argv[3].split(","), sys.argv[4:]))
