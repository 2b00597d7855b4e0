extends Node
## A connection to a halloo server in plain GDScript, for projects without the native library and for web exports.
##
## It has the signals, methods and properties of the native [code]HallooClient[/code], and reconnects while it is in the tree.

## Emitted when the connection is established, for the first time or again.
signal connected(url: String)
## Emitted for each text message.
signal message_received(text: String)
## Emitted for each binary message.
signal binary_received(bytes: PackedByteArray)
## Emitted when the connection has ended. [param code] is 1006 if there was no close frame. The next attempt begins in
## [param retry_in] seconds; -1 means that there is none.
signal disconnected(code: int, reason: String, retry_in: float)
## Emitted when an attempt to connect has failed. The next one begins in [param retry_in] seconds.
signal attempt_failed(reason: String, retry_in: float)
## Emitted when messages that waited were dropped, because the client is closed for good.
signal messages_dropped(count: int)
## Emitted when the client makes no further attempt to connect.
signal gave_up(reason: String)

enum State { CLOSED, WAITING, SEARCHING, ASKING, CONNECTING, EXPLAINING, CONNECTED }

## Times in milliseconds.
const SEARCH_TIMEOUT := 3000
const NAMESAKE_DELAY := 200
const CONNECT_TIMEOUT := 5000
const CLOSE_TIMEOUT := 3000
## In seconds. A server that is silent for twice as long is given up.
const HEARTBEAT := 7.5
const MAX_MESSAGE_BYTES := 1 << 20
const MAX_MESSAGES := 16384
const MAX_BYTES := 16 << 20
## Microseconds for emitting signals in one frame.
const FRAME_BUDGET := 2000
const FIND_HELP := "; find out why with `halloo doctor`"

const Protocol := preload("halloo_protocol.gd")
const Request := preload("halloo_request.gd")
const Search := preload("halloo_search.gd")

## The server's name, or its address, such as [code]ws://192.168.1.5:8765[/code]. Empty for the first server found; in a web
## export, for the server of the page.
@export var target := ""
## The server's token, if it requires one and [member target] does not contain it.
@export var token := ""
## The application id of the server, if [member target] is a name or empty: other servers are left out.
@export var app := ""

var _state := State.CLOSED
var _until := 0
## The address of the target, and its name; both if it is not yet known which it is.
var _url := {}
var _name := ""
var _token := ""
## The server that was found by a search, with its [code]address[/code].
var _server := {}
## What is known about the peer of this attempt: [code]given[/code], [code]found[/code], [code]proven[/code].
var _known: Array[String] = []
var _challenge := {}
var _proof := {}
var _search: Search
var _request: Request
var _peer: WebSocketPeer
var _backoff := Protocol.Backoff.new()
var _queue := Protocol.Queue.new(MAX_MESSAGES, MAX_BYTES)
## The code and the reason to close with when everything is sent.
var _closing := []
var _is_close_sent := false


func _init() -> void:
	# It also runs while the game is paused, as the native one does.
	process_mode = PROCESS_MODE_ALWAYS


func _enter_tree() -> void:
	connect_to_server(target)


func _exit_tree() -> void:
	_stop()


## Closes the current connection, if there is one, and connects to the server [param new_target]. Called automatically when
## the node enters the tree. Returns OK, or ERR_INVALID_PARAMETER if the address or the token is invalid.
func connect_to_server(new_target: String) -> Error:
	_stop()
	target = new_target
	var text := target
	if OS.has_feature("web") and target.is_empty():
		text = JavaScriptBridge.eval("location.origin + location.hash.match(/^(#token=[^&]*)?/)[0]")
	var read := Protocol.read_target(text) if text else {}
	if not "error" in read and OS.has_feature("web") and not "url" in read:
		read = {"error": "a web export cannot search for servers; use an address, or leave it empty for the server of the page"}
	_url = read.get("url", {})
	_name = read.get("name", "")
	_token = token if token else _url.get("token", "")
	if not "error" in read and _token and not Protocol.is_token(_token):
		read = {"error": Protocol.TOKEN_HELP}
	if "error" in read:
		push_error("[halloo] ", read.error)
		return ERR_INVALID_PARAMETER
	_server = {}
	_closing = []
	_backoff = Protocol.Backoff.new()
	_state = State.WAITING
	_until = 0
	return OK


## Sends a text message. Without a connection, it is queued until there is one. Returns OK, ERR_BUSY if the queue is full, or
## ERR_UNCONFIGURED if the client was closed.
func send(text: String) -> Error:
	return _deliver(text, text.to_utf8_buffer().size())


## Sends a binary message. Returns the same errors as [method send].
func send_binary(bytes: PackedByteArray) -> Error:
	return _deliver(bytes, bytes.size())


## Sends the queued messages, closes the connection and does not reconnect. [param code] is 1000, or 3000 to 4999 for codes of
## the application; [param reason] has at most 123 bytes. Returns OK, or ERR_INVALID_PARAMETER if one of them is invalid.
func close(code := 1000, reason := "") -> Error:
	if (code != 1000 and (code < 3000 or code > 4999)) or reason.to_utf8_buffer().size() > 123:
		push_error("[halloo] cannot close: use code 1000 or 3000 to 4999, and a reason of at most 123 bytes")
		return ERR_INVALID_PARAMETER
	_closing = [code, reason]
	if _state != State.CONNECTED and _state != State.CLOSED:
		_give_up("the client was closed")
	return OK


## Returns the address of the server; empty without a connection.
func get_url() -> String:
	return _address() if _state == State.CONNECTED else ""


## Returns -1: the engine does not measure the round trip.
func get_latency_ms() -> float:
	return -1.0


func _process(_delta: float) -> void:
	var now := Time.get_ticks_msec()
	match _state:
		State.WAITING when now >= _until: _begin()
		State.SEARCHING: _poll_search(now)
		State.ASKING: _poll_asking(now)
		State.CONNECTING: _poll_connecting(now)
		State.EXPLAINING: _poll_explaining(now)
		State.CONNECTED: _poll_connected(now)


func _begin() -> void:
	_known = []
	if not _url.is_empty():
		_known = ["given"]
		_authenticate(_url)
	elif _server.get("name", ""):
		_authenticate(_server)
	else:
		_start_search()


func _start_search() -> void:
	_state = State.SEARCHING
	_until = Time.get_ticks_msec() + SEARCH_TIMEOUT
	_search = Search.new(app, _server)


func _poll_search(now: int) -> void:
	_search.poll(now)
	var sought: String = _server.name if _server.get("name", "") else _name
	var found := Protocol.best_matches(sought, _search.servers) if sought else _search.servers
	var same := _search.servers.filter(func(one: Dictionary) -> bool: return one.id == _server.get("id", ""))
	found = same if same else found
	if found and _search.found_at == 0:
		# Others may have the same name. Without a name, it is the first one.
		_search.found_at = now
		_until = mini(_until, now + NAMESAKE_DELAY) if sought else now
	if now < _until:
		return
	var servers := _search.servers
	_search = null
	if found.is_empty():
		var there := ", ".join(servers.slice(0, 5).map(func(one: Dictionary) -> String: return "`%s`" % one.name))
		var what := "no server named `%s` was found" % Protocol.clean(sought) if sought else "no server was found"
		_fail("lost", what + ("; there is " + there if there else FIND_HELP))
	elif sought and Protocol.least_busy(found).is_empty():
		var listed := func(one: Dictionary) -> String: return "`%s` at %s:%d (id %s)" % [one.name, one.host, one.port, one.id]
		var list := ", ".join(found.slice(0, 5).map(listed))
		_fail("lost", "there are %d servers: %s; use an id or an address" % [found.size(), list])
	else:
		_server = Protocol.least_busy(found) if sought else found[0]
		_known = ["found"]
		_authenticate(_server)


## Lets the server prove that it knows the token, if there is one, before anything is sent to it.
func _authenticate(address: Dictionary) -> void:
	_challenge = {"id": address.id, "challenge": address.challenge} if address.get("challenge", "") else {}
	_proof = {}
	# A page cannot send the token with the handshake, so it proves it also with TLS.
	if _token.is_empty() or (address.tls and not OS.has_feature("web")):
		_open()
	else:
		_ask()


func _ask() -> void:
	_state = State.ASKING
	_until = Time.get_ticks_msec() + CONNECT_TIMEOUT
	_proof = _new_proof()
	_request = Request.new(_peer_address(), "/status", ["Authorization: " + _proof.authorization] if _proof else [])


## Returns a proof with a new nonce, since each is accepted once.
func _new_proof() -> Dictionary:
	var nonce := Crypto.new().generate_random_bytes(16)
	return Protocol.prove(_token, _challenge.id, _challenge.challenge, nonce) if _challenge else {}


func _poll_asking(now: int) -> void:
	if not _request.poll() and now < _until:
		return
	var status := _request.status
	if status == 401 and (_proof.is_empty() or _request.challenge.get("is_stale", false)) and _request.challenge:
		_challenge = _request.challenge
		_ask()
	elif status == 200 and _proof.is_empty():
		_fail("wrong server", "%s did not ask for a token; if it is the right server, connect without one" % _address())
	elif status == 200 and not _is_same(_request.proof, _proof.server):
		_fail("wrong server", "%s did not prove that it knows the token" % _address())
	elif status == 200:
		_proof = _new_proof()
		_known.append("proven")
		_open()
	else:
		_refuse(status)


## Compares all characters, so that the time says nothing.
static func _is_same(one: String, other: String) -> bool:
	var difference := one.length() ^ other.length()
	for i in mini(one.length(), other.length()):
		difference |= one.unicode_at(i) ^ other.unicode_at(i)
	return difference == 0


func _open() -> void:
	_state = State.CONNECTING
	_until = Time.get_ticks_msec() + CONNECT_TIMEOUT
	_is_close_sent = false
	_peer = WebSocketPeer.new()
	# Room for the largest message and for others behind it.
	_peer.inbound_buffer_size = 2 * MAX_MESSAGE_BYTES
	_peer.outbound_buffer_size = 32 << 20
	if "heartbeat_interval" in _peer:
		_peer.set("heartbeat_interval", HEARTBEAT)
	if OS.has_feature("web") and _proof:
		var offer := "halloo.proof.%s.%s.%s" % [_challenge.challenge, _proof.nonce, _proof.client]
		_peer.supported_protocols = PackedStringArray(["halloo.v1", offer])
	_peer.handshake_headers = _headers()
	if _peer.connect_to_url(_address() + _url.get("path", "/")) != OK:
		_fail("lost", "cannot connect to " + _address())


func _headers() -> PackedStringArray:
	var headers := PackedStringArray()
	if _proof:
		headers.append("Authorization: " + _proof.authorization)
	elif _token:
		# The certificate is verified.
		headers.append("Authorization: Bearer " + _token)
	if _server.get("has_id", false):
		headers.append("Halloo-Id: " + _server.id)
	return headers


func _poll_connecting(now: int) -> void:
	_peer.poll()
	match _peer.get_ready_state():
		WebSocketPeer.STATE_OPEN:
			if not OS.has_feature("web"):
				_peer.set_no_delay(true)
			_state = State.CONNECTED
			_backoff.connected(now)
			connected.emit(_address())
		WebSocketPeer.STATE_CLOSED:
			_explain(now)
		_ when now >= _until:
			_fail("lost", "%s did not complete the handshake in time" % _address())


## Asks once more why the handshake failed, because the engine does not say it.
func _explain(now: int) -> void:
	_peer = null
	_state = State.EXPLAINING
	_until = now + CONNECT_TIMEOUT
	var headers := PackedStringArray()
	if not OS.has_feature("web"):
		_proof = _new_proof() if _proof else {}
		headers = _headers()
		headers.append_array(["Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"])
		headers.append("Sec-WebSocket-Key: " + Marshalls.raw_to_base64(Crypto.new().generate_random_bytes(16)))
	_request = Request.new(_peer_address(), _url.get("path", "/") if headers else "/status", headers)


func _poll_explaining(now: int) -> void:
	if _request.poll() or now >= _until:
		_refuse(_request.status)


func _refuse(status: int) -> void:
	if status == 0 and _request.is_unresolved and _name:
		# It is no host, so it is a name.
		_url = {}
		_start_search()
	elif status < 300:
		# Why TLS failed is only in an error that the engine prints.
		var trust := ", and that this system trusts its certificate" if _peer_address().tls else ""
		_fail("lost", "cannot connect to %s; check that the server is running there%s" % [_address(), trust])
	else:
		if _known.has("found") and _request.challenge.get("id", _server.get("id", "")) != _server.get("id", ""):
			_known.erase("found")
		_fail("refused", "%s refused (%d): %s" % [_address(), status, _request.text], status)


## Ends the attempt: searches if the address was only known from before, pauses, or gives up.
func _fail(ending: String, reason: String, status := 0) -> void:
	_peer = null
	_request = null
	if Protocol.is_final(ending, status, _known):
		_give_up(reason)
	elif _url.is_empty() and _state != State.SEARCHING and not _known.has("found"):
		_start_search()
	else:
		attempt_failed.emit(reason, _pause())


func _pause() -> float:
	var pause := _backoff.failed(Time.get_ticks_msec(), randf())
	_state = State.WAITING
	_until = Time.get_ticks_msec() + int(pause)
	return pause / 1000.0


func _give_up(reason: String) -> void:
	_state = State.CLOSED
	_search = null
	_request = null
	_peer = null
	var dropped := _queue.messages.size()
	_queue = Protocol.Queue.new(MAX_MESSAGES, MAX_BYTES)
	if dropped > 0:
		messages_dropped.emit(dropped)
	if _closing.is_empty():
		gave_up.emit(reason)


func _stop() -> void:
	if _peer:
		_peer.close(1001)
		_peer.poll()
	_state = State.CLOSED
	_peer = null
	_search = null
	_request = null


func _deliver(message: Variant, size: int) -> Error:
	if _state == State.CLOSED or _closing:
		return ERR_UNCONFIGURED
	if not _queue.push(message, size):
		return ERR_BUSY
	return OK


func _poll_connected(now: int) -> void:
	# What is left from the last frame is emitted before more is read, so that TCP slows the server down.
	if _peer.get_available_packet_count() == 0:
		_send_queued()
		_peer.poll()
	var peer := _peer
	var end := Time.get_ticks_usec() + FRAME_BUDGET
	while peer.get_available_packet_count() > 0 and Time.get_ticks_usec() < end:
		var packet := peer.get_packet()
		if peer.was_string_packet():
			message_received.emit(packet.get_string_from_utf8())
		else:
			binary_received.emit(packet)
		# A handler may have closed the client, or connected it to another server.
		if peer != _peer:
			return
	if peer.get_ready_state() == WebSocketPeer.STATE_CLOSED and peer.get_available_packet_count() == 0:
		_end(now)
	elif _is_close_sent and now >= _until:
		_end(now)


func _send_queued() -> void:
	while _queue.messages and _peer.get_current_outbound_buffered_amount() < MAX_MESSAGE_BYTES and not _is_close_sent:
		var message: Variant = _queue.pop()
		if message is String:
			_peer.send_text(message)
		else:
			_peer.put_packet(message)
	if _closing and _queue.messages.is_empty() and not _is_close_sent:
		_peer.close(_closing[0], _closing[1])
		_is_close_sent = true
		_until = Time.get_ticks_msec() + CLOSE_TIMEOUT


func _end(now: int) -> void:
	var code := _peer.get_close_code() if _peer.get_close_code() > 0 else 1006
	var reason := Protocol.clean(_peer.get_close_reason(), 123) if code != 1006 else "the connection was lost"
	if _backoff.is_stable(now):
		_known.append("stable")
	_peer = null
	if not _closing and Protocol.is_final_code(code) and _known.is_empty():
		_server.name = ""
	var is_last := _closing or Protocol.is_final("closed", code, _known)
	if _closing:
		code = _closing[0]
		reason = _closing[1]
	if is_last:
		_state = State.CLOSED
		disconnected.emit(code, reason, -1.0)
		if _state == State.CLOSED:
			_give_up("the connection was closed with %d%s" % [code, ": " + reason if reason else ""])
	else:
		disconnected.emit(code, reason, _pause())


func _peer_address() -> Dictionary:
	return _server if _url.is_empty() else _url


func _address() -> String:
	var address := _peer_address()
	var host: String = "[%s]" % address.host if ":" in address.host else address.host
	return "%s://%s:%d" % ["wss" if address.tls else "ws", host, address.port]
