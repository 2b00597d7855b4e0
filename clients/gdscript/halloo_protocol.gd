extends RefCounted
## What the client decides and parses: targets, names, datagrams, proofs, endings, pauses and the queue.

const DEFAULT_PORT := 8765
const PROBE_SIZE := 1024
const MAX_DATAGRAM := 2048
const MAX_TEXT := 300
const TOKEN_HELP := "a token has 16 to 256 of the characters A-Z a-z 0-9 - . _ ~; copy it from the invitation link"
const NO_PIN := "this client cannot check a fingerprint; use the native HallooClient, or a certificate that the system trusts"
const BAD_FRAGMENT := "an address may only end in `#token=...`; remove the rest after `#`"
## The first and the last of the characters that are not shown, in pairs.
const HIDDEN: Array[int] = [
	0, 0x1f, 0x7f, 0x9f, 0xad, 0xad, 0x34f, 0x34f, 0x61c, 0x61c, 0x115f, 0x1160, 0x180b, 0x180f, 0x200b, 0x200f, 0x2028, 0x202e,
	0x2060, 0x206f, 0x3164, 0x3164, 0xfe00, 0xfe0f, 0xfeff, 0xfeff, 0xffa0, 0xffa0, 0xfff0, 0xfffb, 0xe0000, 0xe0fff,
]


static func _matches(text: String, pattern: String) -> bool:
	return RegEx.create_from_string("^(?:" + pattern + ")$").search(text) != null and not text.ends_with("\n")


static func _is_hidden(c: int) -> bool:
	for i in range(0, HIDDEN.size(), 2):
		if HIDDEN[i] <= c and c <= HIDDEN[i + 1]:
			return true
	return false


## Returns a text without characters that could deceive. Names are not normalized: the engine has no table for it.
static func clean(text: String, limit := 64) -> String:
	var kept := ""
	for c in text:
		var number := c.unicode_at(0)
		if number in [0xa0, 0x1680, 0x202f, 0x205f, 0x2800, 0x3000] or (number >= 0x2000 and number <= 0x200a):
			kept += " "
		elif not _is_hidden(number):
			kept += c
	return kept.left(limit)


## Returns a text without the value of each [code]token=[/code].
static func hide_token(text: String) -> String:
	return RegEx.create_from_string("(?i)(token=)[^&\\s,]*").sub(text, "$1…", true)


## Returns the form in which a name is compared.
static func key(name: String) -> String:
	# By way of upper case, so that both kinds of sigma become one.
	return " ".join(clean(name.strip_edges()).to_upper().to_lower().split(" ", false))


static func _words(name: String) -> PackedStringArray:
	return RegEx.create_from_string("[^\\p{L}\\p{N}\\p{M}]+").sub(name, " ", true).split(" ", false)


static func _rank(text: String, id: String, name: String) -> int:
	if text.strip_edges().to_lower() == id.to_lower():
		return 4
	var sought := key(text)
	var other := key(name)
	if sought and sought == other:
		return 3
	if _words(sought) and _words(sought) == _words(other):
		return 2
	return 1 if sought.length() > 1 and sought.ends_with("…") and other.begins_with(sought.left(-1)) else 0


## Returns the servers that a text matches best. Several mean that it is ambiguous, unless they are one cluster.
static func best_matches(text: String, servers: Array) -> Array:
	var best := 0
	for server: Dictionary in servers:
		best = maxi(best, _rank(text, server.id, server.name))
	return servers.filter(func(server: Dictionary) -> bool: return best > 0 and _rank(text, server.id, server.name) == best)


## Returns the server with the fewest clients if all of them belong to one cluster, or an empty dictionary if they are different
## ones.
static func least_busy(servers: Array) -> Dictionary:
	var chosen: Dictionary = servers[0]
	for server: Dictionary in servers:
		if servers.size() > 1 and (not server.cluster or server.cluster != chosen.cluster):
			return {}
		if server.clients != null and (chosen.clients == null or server.clients < chosen.clients):
			chosen = server
	return chosen


static func is_same_app(one: String, other: String) -> bool:
	return key(one) != "" and key(one) == key(other)


static func is_token(text: String) -> bool:
	return _matches(text, "[A-Za-z0-9._~-]{16,256}")


## Returns the address that a text means as [code]url[/code], the name that it means as [code]name[/code], both, or an
## [code]error[/code].
static func read_target(given: String) -> Dictionary:
	var text := given.strip_edges()
	var authority := RegEx.create_from_string("^[^/?#]*").search(text).get_string()
	var host := authority if authority.is_valid_ip_address() else authority.get_slice(":", 0)
	var is_url := host.is_valid_ip_address() or _matches(text, "(?s)[A-Za-z0-9+.-]+://.*") or "#fp=" in text
	is_url = is_url or RegEx.create_from_string("[#&?]token=").search(text) != null
	var url := _read_url(text)
	if "error" in url:
		return url if is_url or text.is_empty() else {"name": text}
	if is_url or host == "localhost":
		return {"url": url}
	var labels := host.split(".")
	var is_host := not labels.has("") and not labels[-1].is_valid_int() and (labels.size() > 1 or ":" in authority)
	return {"url": url, "name": text} if is_host else {"name": text}


static func _read_url(text: String) -> Dictionary:
	var has_scheme := "://" in text
	var scheme := text.get_slice("://", 0).to_lower() if has_scheme else "ws"
	if not scheme in ["ws", "http", "wss", "https"]:
		return {"error": "`%s://` is not the scheme of a WebSocket; use ws:// or wss://" % clean(scheme)}
	var tls := scheme in ["wss", "https"]
	var rest := text.substr(scheme.length() + 3) if has_scheme else text
	var fragment := rest.substr(rest.find("#") + 1) if "#" in rest else ""
	rest = rest.get_slice("#", 0)
	var parts := RegEx.create_from_string("(?s)^([^/?]*)(.*)$").search(rest)
	var host := parts.get_string(1)
	var port := ""
	var bracketed := RegEx.create_from_string("^\\[(.*)\\](?::(.*))?$").search(host)
	if bracketed:
		host = bracketed.get_string(1)
		port = bracketed.get_string(2)
	elif not host.is_valid_ip_address():
		port = host.substr(host.find(":") + 1) if ":" in host else ""
		host = host.get_slice(":", 0)
	if "@" in parts.get_string(1):
		return {"error": "a user name or a password is not supported; remove the part up to `@`"}
	if not _matches(host, "[A-Za-z0-9._-]{1,253}") and not (host.is_valid_ip_address() and ":" in host):
		return {"error": "`%s` is not a valid host; use an address such as 192.168.1.5, or a name" % clean(host)}
	if port and not (_matches(port, "[0-9]{1,5}") and int(port) in range(1, 65536)):
		return {"error": "`%s` is not a valid port; use a number from 1 to 65535" % clean(port)}
	var path := parts.get_string(2) if parts.get_string(2).begins_with("/") else "/" + parts.get_string(2)
	if not _matches(path, "[!-~]*"):
		return {"error": "a path or query has only ASCII characters without space; percent-encode the others"}
	var default_port := DEFAULT_PORT if not has_scheme else 443 if tls else 80
	var url := {"tls": tls, "host": host.to_lower(), "port": int(port) if port else default_port, "path": path, "token": ""}
	for pair in fragment.split("&", false):
		if not pair.begins_with("token="):
			return {"error": NO_PIN if pair.begins_with("fp=") and tls else BAD_FRAGMENT}
		url.token = pair.trim_prefix("token=").uri_decode()
		if not is_token(url.token):
			return {"error": TOKEN_HELP}
	return url


static func probe(nonce: String) -> PackedByteArray:
	var head := '{"service":"websocket_server_probe","v":2,"nonce":"%s","pad":"' % nonce
	return (head + ".".repeat(PROBE_SIZE - head.length() - 2) + '"}').to_ascii_buffer()


## Returns the milliseconds from one probe to the next. Every fifth one, from the first on, goes to all ports.
static func probe_interval(number: int, chance: float) -> float:
	var delay: float = [100.0, 200.0, 400.0, 400.0][number] if number < 4 else 700.0 if number < 10 else 3000.0
	return delay * (0.95 + 0.1 * chance)


## Returns whether bytes are UTF-8 without a NUL, which would end a string. The engine prints an error for each that are not.
static func is_text(bytes: PackedByteArray) -> bool:
	var i := 0
	while i < bytes.size():
		var first := bytes[i]
		var more := 0 if first < 0x80 else 1 if first >= 0xc2 and first < 0xe0 else 2 if first & 0xf0 == 0xe0 else 3
		if first == 0 or (more == 3 and (first < 0xf0 or first > 0xf4)) or i + more >= bytes.size():
			return false
		var number := first & (0x7f if more == 0 else 0x3f >> more)
		for k in more:
			if bytes[i + 1 + k] & 0xc0 != 0x80:
				return false
			number = number << 6 | bytes[i + 1 + k] & 0x3f
		if number < [0, 0x80, 0x800, 0x10000][more] or (number >= 0xd800 and number < 0xe000) or number > 0x10ffff:
			return false
		i += more + 1
	return true


static func _number(value: Variant) -> float:
	return value if value is float and is_finite(value) else 0.0


## Returns the server that a datagram from [param ip] is about, or an empty dictionary. [param nonce] is that of the own probes;
## [code]null[/code] for a response over TCP.
static func read(datagram: PackedByteArray, ip: String, nonce: Variant, limit := MAX_DATAGRAM) -> Dictionary:
	var json := JSON.new()
	# The engine would leave out a byte order mark.
	if datagram.size() > limit or not is_text(datagram) or datagram.slice(0, 1) == PackedByteArray([0xef]):
		return {}
	if json.parse(datagram.get_string_from_utf8()) != OK:
		return {}
	var seen: Dictionary = json.data if json.data is Dictionary else {}
	var port := _number(seen.get("port"))
	var is_reply: bool = is_same(seen.get("service"), "websocket_server_reply") and is_same(seen.get("nonce"), nonce)
	var is_known: bool = is_reply or is_same(seen.get("service"), "websocket_server")
	var is_finite_everywhere := seen.values().all(func(value: Variant) -> bool: return not value is float or is_finite(value))
	if not is_known or not is_finite_everywhere or port < 1 or port > 65535 or port != floorf(port):
		return {}
	var text := func(name: String) -> String: return seen[name] if seen.get(name) is String else ""
	var listen_port := _number(seen.get("listen_port"))
	port = port if text.call("ip") == ip or listen_port < 1 else listen_port
	var id := RegEx.create_from_string("[^!-~]").sub(text.call("id"), "", true).left(32)
	var clients: Variant = clampi(int(seen.clients), 0, 0xffffffff) if seen.get("clients") is float else null
	return {
		"id": id if id else "%s:%d" % [ip, port], "has_id": id != "", "name": clean(text.call("name")), "host": ip, "port": int(port),
		"clients": clients, "auth": is_reply and is_same(seen.get("auth"), true), "tls": is_reply and is_same(seen.get("tls"), true),
		"app": clean(text.call("app")).strip_edges(), "cluster": clean(text.call("cluster")).strip_edges() if is_reply else "",
		"challenge": text.call("challenge"), "is_reply": is_reply,
	}


static func _base64url(bytes: PackedByteArray) -> String:
	return Marshalls.raw_to_base64(bytes).replace("+", "-").replace("/", "_").rstrip("=")


static func _sha256(bytes: PackedByteArray) -> PackedByteArray:
	var context := HashingContext.new()
	context.start(HashingContext.HASH_SHA256)
	context.update(bytes)
	return context.finish()


## HMAC-SHA-256 (RFC 2104). The class of the engine is missing in web exports.
static func _hmac(secret: PackedByteArray, message: PackedByteArray) -> PackedByteArray:
	var block := _sha256(secret) if secret.size() > 64 else secret.duplicate()
	block.resize(64)
	for pad: int in [0x36, 0x5c]:
		var padded := block.duplicate()
		for i in 64:
			padded[i] = block[i] ^ pad
		message = _sha256(padded + message)
	return message


## Returns the [code]nonce[/code], the proofs of [code]client[/code] and [code]server[/code], and the value of
## [code]authorization[/code]; or an empty dictionary if it is no valid challenge.
static func prove(token: String, id: String, challenge: String, random: PackedByteArray) -> Dictionary:
	if not _matches(id, "[A-Za-z0-9_-]{1,32}") or not _matches(challenge, "[A-Za-z0-9_-]{1,64}"):
		return {}
	var proof := {"nonce": _base64url(random)}
	for side: String in ["client", "server"]:
		var text := "halloo %s\n%s\n%s\n%s" % [side, id, challenge, proof.nonce]
		proof[side] = _base64url(_hmac(token.to_ascii_buffer(), text.to_ascii_buffer()))
	proof.authorization = 'Halloo challenge="%s", nonce="%s", proof="%s"' % [challenge, proof.nonce, proof.client]
	return proof


## Returns [code]id[/code] and [code]challenge[/code] of a server, and whether the last one [code]is_stale[/code].
static func read_challenge(header: String) -> Dictionary:
	var given := {}
	for pair in header.substr(7).split(","):
		given[pair.get_slice("=", 0).strip_edges().to_lower()] = pair.substr(pair.find("=") + 1).replace("\"", "").strip_edges()
	return {"id": given.get("id", ""), "challenge": given.get("challenge", ""), "is_stale": given.get("stale", "") == "true"}


static func is_final_code(code: int) -> bool:
	return code in [1002, 1003, 1007, 1008, 1009, 1010] or code >= 3000


static func is_final_status(status: int) -> bool:
	return status < 500 and not status in [408, 425, 429]


## Returns whether the client ends. The words are those of [code]vectors/endings.json[/code].
static func is_final(ending: String, number: int, known: Array) -> bool:
	if ending == "closed":
		return is_final_code(number) and not known.is_empty()
	if ending == "refused":
		return is_final_status(number) and ("given" in known or ("found" in known and number in [401, 403, 404, 426]))
	return ending != "lost" and "given" in known


## The pauses between attempts. Times are in milliseconds.
class Backoff:
	var _failures := 0
	var _connected := -1

	func connected(now: int) -> void:
		_connected = now

	func is_stable(now: int) -> bool:
		return _connected >= 0 and now - _connected >= 10000

	## Returns the pause before the next attempt. [param chance] is evenly drawn from 0 to 1.
	func failed(now: int, chance: float) -> float:
		if is_stable(now):
			_failures = 0
		_connected = -1
		_failures += 1
		return minf(100.0 * 2 ** mini(_failures - 1, 6), 5000.0) * chance


## Messages that wait, bounded in number and in bytes. An empty queue accepts a message of any size.
class Queue:
	var messages := []
	var _bytes := 0
	var _max_messages: int
	var _max_bytes: int

	func _init(max_messages: int, max_bytes: int) -> void:
		_max_messages = max_messages
		_max_bytes = max_bytes

	func push(message: Variant, size: int) -> bool:
		if messages and (messages.size() >= _max_messages or _bytes + size > _max_bytes):
			return false
		messages.append([message, size])
		_bytes += size
		return true

	func pop() -> Variant:
		var oldest: Array = messages.pop_front()
		_bytes -= oldest[1]
		return oldest[0]
