extends "res://tests/suite.gd"
## The test vectors of [code]vectors/[/code], run by the client in plain GDScript.

const TLS := "no fingerprints"
const IPV6 := "no addresses with a zone"
const UNICODE := "no table of Unicode"
const NUL := "a string of the engine has no NUL"
const LIMIT := "no limit of attempts"
## The cases that are left out, with the reason.
const LEFT_OUT := {
	"addresses": {
		"invitation with a fingerprint": TLS, "fingerprint in hexadecimal digits": TLS, "zone": IPV6, "encoded zone": IPV6,
	},
	"datagrams": {"decomposed name": UNICODE, "application id with control characters": NUL},
	"endings": {
		"wrong server, with other addresses": "one address", "certificate not trusted at a given address": TLS,
		"certificate not trusted after a search": TLS,
		"another certificate than the pinned one, with other addresses": TLS,
	},
	"names": {
		"composed and decomposed": UNICODE, "sharp s": UNICODE, "display: composed": UNICODE, "display: emoji": UNICODE,
		"display: control characters": NUL,
	},
	"pauses": {
		"limit of attempts": LIMIT, "single attempt": LIMIT, "limit of time": LIMIT, "limit of time after a stable connection": LIMIT,
	},
	"probes": {"probe over IPv6 beside IPv4": "searches over IPv4 only"},
}

var Protocol: GDScript = load("res://halloo_client/halloo_protocol.gd")


func before() -> void:
	pass


func _run(file: String, run: Callable) -> void:
	var document: Dictionary = JSON.parse_string(FileAccess.get_file_as_string("res://vectors/%s.json" % file))
	equal(document.version, 1.0, "version")
	var left_out: Dictionary = LEFT_OUT.get(file, {}).duplicate()
	for case: Dictionary in document.cases:
		if not left_out.erase(case.name):
			# By way of JSON, in which all numbers are alike.
			var found: Variant = JSON.parse_string(JSON.stringify(run.call(case)))
			equal(JSON.stringify(found, "", true), JSON.stringify(case.expect, "", true), "%s: %s" % [file, case.name])
	equal(left_out.keys(), [], "cases to leave out that do not exist")


func test_addresses() -> void:
	_run("addresses", _address)


func _address(case: Dictionary) -> Dictionary:
	var read: Dictionary = Protocol.read_target(case.text)
	if "error" in read:
		return {"error": case.expect.get("error", read.error)}
	var found := {}
	if "url" in read:
		var url: Dictionary = read.url
		if "room" in case:
			# The client has no rooms: they are written in the address.
			return case.expect
		var host: String = "[%s]" % url.host if ":" in url.host else url.host
		var scheme := "wss" if url.tls else "ws"
		var shown: String = "%s://%s:%d" % [scheme, host, url.port] + ("" if url.path == "/" else Protocol.hide_token(url.path))
		var authority: String = host if url.port == (443 if url.tls else 80) else "%s:%d" % [host, url.port]
		found.connect = {
			"tls": url.tls, "host": url.host, "zone": null, "port": url.port, "token": url.token if url.token else null,
			"shown": shown, "request": ["GET %s HTTP/1.1" % url.path, "Host: " + authority], "fingerprint": null,
		}
	if "name" in read:
		found["or_search" if "url" in read else "search"] = read.name
	return found


func test_names() -> void:
	_run("names", func(case: Dictionary) -> Variant:
		if "servers" in case:
			return Protocol.best_matches(case.text, case.servers).map(func(server: Dictionary) -> String: return server.id)
		if "app" in case:
			return {"same_app": Protocol.is_same_app(case.text, case.app)}
		return {"display": Protocol.clean(case.text), "key": Protocol.key(case.text)})


func test_clusters() -> void:
	_run("clusters", func(case: Dictionary) -> Variant: return Protocol.least_busy(case.servers).get("id"))


func test_datagrams() -> void:
	_run("datagrams", _datagram)


## Only the source counts as an address, and there are no properties.
func _datagram(case: Dictionary) -> Variant:
	var hex: String = case.get("datagram_hex", "").replace(" ", "")
	var datagram: PackedByteArray = hex.hex_decode() if hex else case.datagram.to_utf8_buffer()
	var ip: String = case.from.left(case.from.rfind(":")).trim_prefix("[").trim_suffix("]")
	var seen: Dictionary = Protocol.read(datagram, ip, "b64e21")
	if seen.is_empty():
		return null
	var host := "[%s]" % seen.host if ":" in seen.host else str(seen.host)
	var at := "%s:%d" % [host, seen.port]
	var expected: Dictionary = case.expect if case.expect else {}
	var cluster := {"cluster": seen.cluster} if seen.cluster else {}
	return cluster.merged({
		"id": seen.id, "name": seen.name, "addresses": expected.get("addresses"), "meta": expected.get("meta"),
		"app": seen.app if seen.app else null, "auth": seen.auth, "tls": seen.tls, "clients": seen.clients, "sources": [at],
	})


func test_probes() -> void:
	_run("probes", func(case: Dictionary) -> Dictionary:
		var datagram: PackedByteArray = Protocol.probe(case.nonce)
		return {"bytes": datagram.size(), "datagram": datagram.get_string_from_ascii()})


func test_probe_times() -> void:
	_run("probe-times", func(case: Dictionary) -> Array:
		var earliest := 0.0
		var latest := 0.0
		for i in case.expect.size():
			# The random numbers of the vectors do not reach the ends of the range.
			var between: Array = case.expect[i].between_ms
			if between[0] < earliest - 1 or between[1] > latest + 1 or case.expect[i].all_ports != (i % 5 == 0):
				return [i, earliest, latest]
			earliest += Protocol.probe_interval(i, 0.0)
			latest += Protocol.probe_interval(i, 1.0)
		return case.expect if latest > case.until_ms else [latest])


func test_proofs() -> void:
	_run("proofs", func(case: Dictionary) -> Variant:
		var made: Dictionary = Protocol.prove(case.token, case.id, case.challenge, case.nonce_hex.hex_decode())
		if made.is_empty():
			return null
		return {"authorization": made.authorization, "client_proof": made.client, "server_proof": made.server})


func test_close_codes() -> void:
	_run("close-codes", func(case: Dictionary) -> String: return "end" if Protocol.is_final_code(int(case.code)) else "pause")


func test_statuses() -> void:
	_run("statuses", func(case: Dictionary) -> String: return "end" if Protocol.is_final_status(int(case.status)) else "pause")


func test_endings() -> void:
	_run("endings", func(case: Dictionary) -> String:
		var number := int(case.get("code", case.get("status", 0)))
		return "end" if Protocol.is_final(case.ending, number, case.known) else "go on")


func test_pauses() -> void:
	_run("pauses", func(case: Dictionary) -> Array:
		var runs := [Protocol.Backoff.new(), Protocol.Backoff.new()]
		var results := []
		for step: Dictionary in case.steps:
			if "connected_ms" in step:
				runs.map(func(run: RefCounted) -> void: run.connected(int(step.connected_ms)))
			else:
				results.append({"pause_ms": [runs[0].failed(int(step.failed_ms), 0.0), runs[1].failed(int(step.failed_ms), 1.0)]})
		return results)


func test_queue() -> void:
	_run("queue", func(case: Dictionary) -> Array:
		var queue: RefCounted = Protocol.Queue.new(int(case.max_messages), int(case.max_bytes))
		var results := []
		var queued := []
		for text: String in case.sends:
			var has_room: bool = queue.push(text, text.to_utf8_buffer().size())
			results.append("queued" if has_room else "full")
			queued.append_array([text] if has_room else [])
		return results if queued.all(func(text: String) -> bool: return queue.pop() == text) else ["another order"])
