extends Node
## The documented functions of the WebSocket server in plain GDScript, and rooms.
##
## [code]websocket_server.gd[/code] uses this node on platforms without a native library. Everything happens in
## [method Node._process]: each client costs time in every frame, and no client gets a response while the game is busy.

## Emitted for each message, text or binary. Binary data is decoded as UTF-8.
signal model_data_received(data: String)
## Emitted when a client has completed its handshake. Ids start at 1 and are never reused.
signal client_joined(id: int)
## Emitted when a client has left. [param code] is the code in its close frame, 1006 if there was none.
signal client_left(id: int, code: int, reason: String)

## The number of ports to try: the given one and those after it.
const PORTS_TO_TRY := 10
## Ports that web browsers refuse to connect to, the "bad ports" of the Fetch standard. They are skipped after the first.
const BLOCKED_PORTS: Array[int] = [
	1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109, 110,
	111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531, 532,
	540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061,
	6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
]
const DISCOVERY_PORT := 8766
## Seconds between two beacons.
const DISCOVERY_INTERVAL := 2.0
const BROADCAST_ADDRESS := "255.255.255.255"
## Milliseconds in which a connection must complete its handshake.
const HANDSHAKE_TIMEOUT := 5000
## The number of characters of a message that are printed.
const MAX_PRINTED := 200

const Rooms := preload("fallback_rooms.gd")

## Also print each message and each beacon.
var verbose := false

var tcp_server := TCPServer.new()
## The connected clients: [WebSocketPeer]s by client id.
var clients := {}
## Whether discovery is on. It pauses while clients are connected.
var discovery_enabled := true
var rooms := Rooms.new()

var _discovery_timer := Timer.new()
## The port from which the last beacon was sent; a change is printed once.
var _discovery_port := DISCOVERY_PORT
## The result of sending the last beacon; a change is printed once.
var _broadcast_error := OK
## The times when the connections were accepted whose handshake is not complete, by their [WebSocketPeer].
var _pending := {}
var _next_id := 1
var _is_asked_for_files := false


func _init() -> void:
	name = "Fallback"
	# The server also runs while the game is paused.
	process_mode = PROCESS_MODE_ALWAYS
	_discovery_timer.wait_time = DISCOVERY_INTERVAL
	# Beacons are independent of the speed of the game. The property is new in Godot 4.4, so it is set by name.
	_discovery_timer.set(&"ignore_time_scale", true)
	_discovery_timer.timeout.connect(_broadcast)
	add_child(_discovery_timer)


func _process(_delta: float) -> void:
	while tcp_server.is_connection_available():
		_accept(tcp_server.take_connection())
	# A signal handler may stop the server, which changes both dictionaries during the iterations.
	for peer: WebSocketPeer in _pending.keys():
		if _pending.has(peer):
			_poll_pending(peer)
	for id: int in clients.keys():
		if clients.has(id):
			_poll(id, clients[id])


func _exit_tree() -> void:
	stop_server()


## Listens on [param port] or, if it is in use, on one of the next nine ports, and starts discovery. If the server is
## running, stops it first.
func start_server(port := 8765) -> Error:
	stop_server()
	if tcp_server.is_listening():
		# A handler of client_left has started it. As with the native library, the last start counts.
		return OK
	if port in BLOCKED_PORTS:
		push_warning("[halloo] web browsers block port %d, so only other programs can connect; choose another port" % port)
	for candidate in range(port, port + PORTS_TO_TRY):
		if candidate != port and candidate in BLOCKED_PORTS:
			continue
		var error := tcp_server.listen(candidate)
		if error == OK:
			_log("listening on port %d" % tcp_server.get_local_port())
			start_service_discovery()
			return OK
		if error != ERR_ALREADY_IN_USE:
			push_error("[halloo] cannot listen on port %d: %s" % [candidate, error_string(error)])
			return error
		_log("port %d is in use" % candidate)
	push_error("[halloo] no free port in %d-%d (port already in use); stop the program that uses one, or choose another port"
			% [port, port + PORTS_TO_TRY - 1])
	return ERR_ALREADY_IN_USE


## Closes all connections with code 1001 and stops discovery.
func stop_server() -> void:
	_discovery_timer.stop()
	_pending.clear()
	rooms.clear()
	var leaving := clients
	clients = {}
	if tcp_server.is_listening():
		tcp_server.stop()
		_log("stopped")
	# Last, because a handler may start the server again.
	for id: int in leaving:
		leaving[id].close(1001, "the server stops")
		client_left.emit(id, 1001, "the server stops")


## Sends [param data] as a text message to every client whose connection is open.
func send_to_all(data: String) -> Error:
	var result := OK
	var sent := 0
	for id: int in clients:
		var peer: WebSocketPeer = clients[id]
		if peer.get_ready_state() != WebSocketPeer.STATE_OPEN:
			continue
		var error := peer.send_text(data)
		if error == OK:
			sent += 1
		else:
			result = error
			push_error("[halloo] cannot send to client %d: %s" % [id, error_string(error)])
	if verbose:
		_log("sent to %d clients: %s" % [sent, _printable(data)])
	return result


## Sends a text message to every client in a room.
func send_to_room(room: String, text: String) -> Error:
	return _send_to_room(room, func(peer: WebSocketPeer) -> Error: return peer.send_text(text))


## Sends a binary message to every client in a room.
func send_binary_to_room(room: String, bytes: PackedByteArray) -> Error:
	return _send_to_room(room, func(peer: WebSocketPeer) -> Error: return peer.send(bytes))


func join_room(id: int, room: String) -> Error:
	var error := _check_room(room)
	if error == OK:
		error = rooms.join(id, room) if clients.has(id) else ERR_DOES_NOT_EXIST
	if error == ERR_CANT_ACQUIRE_RESOURCE:
		push_error("[halloo] the client is in %d rooms, or there are %d, which is the most; raise halloo/max_rooms_per_client or "
				% [rooms.max_rooms_per_client, rooms.max_rooms] + "halloo/max_rooms, or let clients leave rooms first")
	return error


func leave_room(id: int, room: String) -> Error:
	var error := _check_room(room)
	if error == OK and clients.has(id):
		rooms.leave(id, room)
	return error if error != OK or clients.has(id) else ERR_DOES_NOT_EXIST


## Returns what a client said by its URL. The engine does not show the headers of its request.
func get_client(id: int) -> Dictionary:
	if not clients.has(id):
		return {}
	var peer: WebSocketPeer = clients[id]
	return {
		"id": id, "address": "%s:%d" % [peer.get_connected_host(), peer.get_connected_port()],
		"path": Rooms.path_of(peer.get_requested_url()), "query": Rooms.query_of(peer.get_requested_url()),
		"subprotocols": PackedStringArray(), "subprotocol": peer.get_selected_protocol(), "origin": "", "user_agent": "",
		"rooms": rooms.of(id),
	}


func get_rooms() -> Dictionary:
	return rooms.counts()


## Starts discovery: the server is announced while no client is connected.
func start_service_discovery() -> void:
	discovery_enabled = true
	_resume_discovery()


## Stops sending beacons until [method start_service_discovery] or [method start_server] is called.
func stop_service_discovery() -> void:
	discovery_enabled = false
	_pause_discovery()


## Sends a beacon now, also while clients are connected. Has no effect while discovery is stopped.
func broadcast_now() -> void:
	if discovery_enabled and tcp_server.is_listening():
		_broadcast()


## Says once that files cannot be served.
func serve_files(folder: String) -> Error:
	if folder and not _is_asked_for_files:
		_is_asked_for_files = true
		push_warning("[halloo] the files in %s are not served, because this needs the native library, which is missing for this "
				% folder + "platform; serve them from another program")
	return ERR_UNAVAILABLE


func get_server_status() -> Dictionary:
	return {
		"server_running": tcp_server.is_listening(),
		"server_port": tcp_server.get_local_port() if tcp_server.is_listening() else 0,
		"connected_clients": clients.size(),
		"discovery_enabled": discovery_enabled,
		"discovery_active": not _discovery_timer.is_stopped(),
		"local_ip": _local_ip(),
	}


func _accept(connection: StreamPeerTCP) -> void:
	connection.set_no_delay(true)
	var peer := WebSocketPeer.new()
	if peer.accept_stream(connection) == OK:
		_pending[peer] = Time.get_ticks_msec()


## Turns a pending connection into a client when its handshake is complete, or drops it after a timeout or a failure.
func _poll_pending(peer: WebSocketPeer) -> void:
	peer.poll()
	match peer.get_ready_state():
		WebSocketPeer.STATE_OPEN:
			var room := Rooms.in_path(Rooms.path_of(peer.get_requested_url()))
			if room[1]:
				# The engine has accepted the handshake already, so a response with 404 is not possible.
				return peer.close(1008, room[1])
			_pending.erase(peer)
			var id := _next_id
			_next_id += 1
			if room[0] and rooms.join(id, room[0]) != OK:
				return peer.close(1013, "there are too many rooms; use one of them")
			clients[id] = peer
			_log("client %d joined from %s" % [id, peer.get_connected_host()])
			_pause_discovery()
			client_joined.emit(id)
		WebSocketPeer.STATE_CONNECTING, WebSocketPeer.STATE_CLOSING when Time.get_ticks_msec() - _pending[peer] < HANDSHAKE_TIMEOUT:
			pass
		_:
			_pending.erase(peer)


func _poll(id: int, peer: WebSocketPeer) -> void:
	peer.poll()
	while peer.get_available_packet_count() > 0:
		var data := peer.get_packet().get_string_from_utf8()
		if verbose:
			_log("client %d sent: %s" % [id, _printable(data)])
		model_data_received.emit(data)
	if peer.get_ready_state() == WebSocketPeer.STATE_CLOSED and clients.erase(id):
		rooms.leave_all(id)
		var code := peer.get_close_code() if peer.get_close_code() >= 0 else 1006
		var reason := peer.get_close_reason()
		_log("client %d left, code %d%s" % [id, code, ": " + _printable(reason) if reason else ""])
		if clients.is_empty():
			_resume_discovery()
		client_left.emit(id, code, reason)


func _check_room(room: String) -> Error:
	if Rooms.problem_of(room):
		push_error("[halloo] ", Rooms.problem_of(room))
		return ERR_INVALID_PARAMETER
	return OK if tcp_server.is_listening() else ERR_UNCONFIGURED


func _send_to_room(room: String, send: Callable) -> Error:
	var result := _check_room(room)
	if result == OK:
		for id: int in rooms.members(room):
			if clients[id].get_ready_state() == WebSocketPeer.STATE_OPEN and send.call(clients[id]) != OK:
				result = ERR_BUSY
	return result


func _resume_discovery() -> void:
	if discovery_enabled and clients.is_empty() and tcp_server.is_listening() and _discovery_timer.is_stopped():
		_log("announcing until a client connects")
		_discovery_timer.start()
		_broadcast()


func _pause_discovery() -> void:
	if not _discovery_timer.is_stopped():
		_discovery_timer.stop()
		_log("no longer announcing")


## Sends a beacon from a new socket, because the network may have changed since the last one.
func _broadcast() -> void:
	var socket := PacketPeerUDP.new()
	var port := _bind_discovery(socket)
	var beacon := JSON.stringify({
		"service": "websocket_server",
		"ip": _local_ip(),
		"port": tcp_server.get_local_port(),
		"timestamp": int(Time.get_unix_time_from_system()),
	}, "", false)
	socket.set_broadcast_enabled(true)
	# Listeners use the default port; some follow the server to the port that it has fallen back to.
	for destination: int in ([DISCOVERY_PORT] if port == DISCOVERY_PORT else [DISCOVERY_PORT, port]):
		socket.set_dest_address(BROADCAST_ADDRESS, destination)
		var error := socket.put_packet(beacon.to_utf8_buffer())
		if error != _broadcast_error:
			_log("cannot send a beacon: %s; check the network connection" % error_string(error) if error else "beacons are sent again")
			_broadcast_error = error
		if verbose and error == OK:
			_log("beacon sent to port %d: %s" % [destination, beacon])
	socket.close()


## Binds [param socket] to the first free discovery port and returns the port. It is bound for one beacon only, so that a
## client on this machine can listen on it.
func _bind_discovery(socket: PacketPeerUDP) -> int:
	for port in range(DISCOVERY_PORT, DISCOVERY_PORT + PORTS_TO_TRY):
		if socket.bind(port, "0.0.0.0") == OK:
			if port != _discovery_port:
				_log("discovery uses port %d" % port)
				_discovery_port = port
			return port
	# A socket that is not bound can still send.
	return DISCOVERY_PORT


## Returns the address of this machine for others: a private one if possible, otherwise any except loopback.
func _local_ip() -> String:
	var best := "127.0.0.1"
	var best_rank := 0
	for address in IP.get_local_addresses():
		var rank := _rank(address)
		if rank > best_rank:
			best = address
			best_rank = rank
	return best


func _rank(address: String) -> int:
	if address.contains(":") or address.begins_with("127."):
		return 0
	if address.begins_with("192.168."):
		return 4
	if address.begins_with("10."):
		return 3
	if address.begins_with("172.") and int(address.get_slice(".", 1)) in range(16, 32):
		return 2
	return 1


func _log(line: String) -> void:
	print("[halloo] ", line)


## Returns text from the network in a form that is safe to print: truncated, with control and direction characters escaped.
func _printable(text: String) -> String:
	var printable := ""
	for character in text.left(MAX_PRINTED):
		var code := character.unicode_at(0)
		if code < 32 or code in range(0x7f, 0xa0) or code in range(0x200b, 0x2070) or code == 0xfeff:
			character = "\\u%04x" % code
		printable += character
	return printable if text.length() <= MAX_PRINTED else printable + "…"
