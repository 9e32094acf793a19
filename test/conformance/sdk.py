"""A server's life through openstacksdk. Reads its surroundings as JSON from stdin; prints a verdict per check as a line of JSON."""
import json
import subprocess
import sys
import time

import openstack
from openstack import exceptions

around = json.load(sys.stdin)
name = "walk-sdk"
cloud = openstack.connect(
    auth_url=around["authUrl"],
    username="admin",
    password=around["password"],
    project_name="admin",
    user_domain_name="Default",
    project_domain_name="Default",
    region_name=around["region"],
    load_yaml_config=False,
    load_envvars=False,
)
compute = cloud.compute
wait_seconds = 120


def check(what, work, want=None):
    """Its value; None when it raised, or was not the one wanted."""
    verdict = {"test": "openstacksdk " + what, "outcome": "passed", "said": ""}
    value = None
    try:
        value = work()
        if want is not None and value != want:
            raise AssertionError("%r, not %r" % (value, want))
    except Exception as error:
        verdict.update(outcome="failed", said="%s: %s" % (type(error).__name__, str(error)[:300]))
        value = None
    print(json.dumps(verdict), flush=True)
    return value


def until(work, what):
    end = time.monotonic() + wait_seconds
    while time.monotonic() < end:
        value = work()
        if value:
            return value
        time.sleep(0.3)
    raise AssertionError("no " + what)


def settled(server_id, status):
    def look():
        server = compute.get_server(server_id)
        if server.status == "ERROR":
            raise AssertionError("ERROR: %s" % server.fault)
        return server.status == status and server.task_state is None

    return until(look, status)


def guest(command):
    options = ["StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes", "ConnectTimeout=3"]
    words = ["ssh", "-i", around["sshKeyPath"]]
    for option in options:
        words += ["-o", option]

    def ask():
        said = subprocess.run(words + ["root@" + around["address"], command], capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=20)
        return said.returncode == 0 and (said.stdout.strip() or "nothing")

    return until(ask, "answer to " + command)


def refusal(work):
    try:
        work()
    except exceptions.HttpException as error:
        return error.status_code
    return "no refusal"


def create():
    return cloud.create_server(
        name=name,
        image=around["image"]["id"],
        flavor=around["flavor"]["id"],
        key_name=name,
        nics=[{"net-id": around["network"]["id"], "v4-fixed-ip": around["address"]}],
        meta={"role": "test"},
        userdata="#!/bin/sh\necho hi > /root/said\n",
        config_drive=True,
        wait=True,
        auto_ip=False,
        timeout=wait_seconds,
    )


def life(server_id):
    check("metadata", lambda: compute.get_server(server_id).metadata.get("role"), "test")
    check("server_interfaces", lambda: [one.fixed_ips[0]["ip_address"] for one in compute.server_interfaces(server_id)], [around["address"]])
    check("ports", lambda: [port.device_owner.split(":")[0] for port in cloud.network.ports(device_id=server_id)], ["compute"])
    check("user data", lambda: until(lambda: guest("cat /root/said 2>/dev/null || true") == "hi", "user data"), True)
    check("a file in the guest", lambda: guest("echo kept > /root/kept; sync; cat /root/kept"), "kept")
    check("console output", lambda: "output" in compute.get_server_console_output(server_id, length=10), True)
    actions = [
        ("stop_server", (), "SHUTOFF"),
        ("start_server", (), "ACTIVE"),
        ("pause_server", (), "PAUSED"),
        ("unpause_server", (), "ACTIVE"),
        ("suspend_server", (), "SUSPENDED"),
        ("resume_server", (), "ACTIVE"),
        ("reboot_server", ("SOFT",), "ACTIVE"),
        ("reboot_server", ("HARD",), "ACTIVE"),
        ("resize_server", (around["flavorAlt"]["id"],), "VERIFY_RESIZE"),
        ("confirm_server_resize", (), "ACTIVE"),
    ]
    for action, words, status in actions:
        check(" ".join((action,) + words), lambda: (getattr(compute, action)(server_id, *words), settled(server_id, status))[1], True)
        if status == "ACTIVE":
            check("the guest after " + action, lambda: guest("cat /root/kept"), "kept")
    check("flavor after a resize", lambda: compute.get_server(server_id).flavor["original_name"], around["flavorAlt"]["name"])
    check("start of an active server", lambda: refusal(lambda: compute.start_server(server_id)), 409)
    check("confirm without a resize", lambda: refusal(lambda: compute.confirm_server_resize(server_id)), 409)
    check("rebuild", lambda: bool(cloud.rebuild_server(server_id, around["image"]["id"], wait=True, timeout=wait_seconds)), True)
    check("the guest after rebuild", lambda: guest("test -e /root/kept || echo gone"), "gone")


def snapshot(server_id):
    image = check("create_image_snapshot", lambda: cloud.create_image_snapshot(name + "-snapshot", server_id, wait=True, timeout=wait_seconds))
    if image is None:
        return
    check("the server after a snapshot", lambda: settled(server_id, "ACTIVE"), True)
    second = {"image": image.id, "flavor": around["flavorAlt"]["id"], "network": around["network"]["id"]}
    check("a server of a snapshot", lambda: cloud.create_server(name=name + "-2", wait=True, auto_ip=False, timeout=wait_seconds, **second).status, "ACTIVE")
    check("its end", lambda: cloud.delete_server(name + "-2", wait=True, timeout=wait_seconds), True)
    check("delete_image", lambda: cloud.delete_image(image.id), True)


check("authorize", lambda: bool(cloud.authorize()), True)
check("newest microversion", lambda: compute.get_endpoint_data().max_microversion, tuple(int(part) for part in around["microversions"]["most"].split(".")))
check("find_network", lambda: cloud.network.find_network(around["network"]["name"]).id, around["network"]["id"])
check("create_keypair of its own", lambda: compute.create_keypair(name=name + "-own").private_key.startswith("-----BEGIN"), True)
check("delete_keypair", lambda: compute.delete_keypair(name + "-own", ignore_missing=False))
check("create_keypair of a given key", lambda: compute.create_keypair(name=name, public_key=around["publicKey"]).name, name)
check("an unknown server", lambda: refusal(lambda: compute.get_server("11111111-2222-3333-4444-555555555555")), 404)
check("an unknown flavor", lambda: refusal(lambda: compute.create_server(name="x", flavorRef="no-such", imageRef=around["image"]["id"], networks="none")), 400)
made = check("create_server", create)
if made is not None:
    try:
        life(made.id)
        snapshot(made.id)
        check("servers by name and status", lambda: [one.id for one in compute.servers(name=name, status="ACTIVE")], [made.id])
    finally:
        check("delete_server", lambda: cloud.delete_server(made.id, wait=True, timeout=wait_seconds), True)
    check("ports of a deleted server", lambda: list(cloud.network.ports(device_id=made.id)), [])
compute.delete_keypair(name)
