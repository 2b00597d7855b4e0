extends Node
## The documented contract of the WebSocket server in plain GDScript, and nothing beyond it.
##
## [code]websocket_server.gd[/code] hands over to this node where there is no native library for the platform.
## Everything happens in [method Node._process]: a client costs time in every frame, and nobody gets an answer
## while the game is busy with something else.

## A client has sent a message; whatever it was, it arrives as text.
signal model_data_received(data: String)
## A client has finished its handshake. Numbers begin at 1 and are not used twice.
signal client_joined(id: int)
## A client has gone. [param code] is that of the close frame, 1006 when there was none.
signal client_left(id: int, code: int, reason: String)

## A port and the nine after it are tried.
const PORTS_TO_TRY := 10
const DISCOVERY_PORT := 8766
## Seconds between two beacons.
const DISCOVERY_INTERVAL := 2.0
const BROADCAST_ADDRESS := "255.255.255.255"
## Milliseconds a connection may take to become a client.
const HANDSHAKE_TIME := 5000
## Characters of a message that are printed.
const SHOWN := 200

## Prints every message and every beacon as well.
var verbose := false

var tcp_server := TCPServer.new()
## The connected clients: [WebSocketPeer]s by their number.
var clients := {}
## Whether discovery is wanted. It rests while somebody is connected.
var discovery_enabled := true

var _discovery_timer := Timer.new()
## Where the last beacon left from, to tell of a change only once.
var _discovery_port := DISCOVERY_PORT
## What became of the last beacon, for the same reason.
var _broadcast_error := OK
## When each connection that is not yet a client was accepted, by its [WebSocketPeer].
var _newcomers := {}
var _next_id := 1


func _init() -> void:
	name = "Fallback"
	# A paused game goes on answering.
	process_mode = PROCESS_MODE_ALWAYS
	_discovery_timer.wait_time = DISCOVERY_INTERVAL
	# Only from Godot 4.4 on: beacons come at their pace whatever the speed of the game.
	_discovery_timer.set(&"ignore_time_scale", true)
	_discovery_timer.timeout.connect(_broadcast)
	add_child(_discovery_timer)


func _process(_delta: float) -> void:
	while tcp_server.is_connection_available():
		_accept(tcp_server.take_connection())
	for peer: WebSocketPeer in _newcomers.keys():
		_welcome(peer)
	# A handler of a signal may stop the server, so the table may change under way.
	for id: int in clients.keys():
		if clients.has(id):
			_poll(id, clients[id])


func _exit_tree() -> void:
	stop_server()


## Listens on [param port] or, when that is taken, on one of the nine after it, and announces the server.
## A server that runs already is stopped first.
func start_server(port := 8765) -> Error:
	stop_server()
	for candidate in range(port, port + PORTS_TO_TRY):
		var error := tcp_server.listen(candidate)
		if error == OK:
			_say("listening on port %d" % tcp_server.get_local_port())
			start_service_discovery()
			return OK
		if error != ERR_ALREADY_IN_USE:
			push_error("[halloo] cannot listen on port %d: %s" % [candidate, error_string(error)])
			return error
		_say("port %d is in use" % candidate)
	push_error("[halloo] ports %d to %d are all in use; close the program that has them or choose another port"
			% [port, port + PORTS_TO_TRY - 1])
	return ERR_ALREADY_IN_USE


## Closes all connections and stops announcing.
func stop_server() -> void:
	_discovery_timer.stop()
	_newcomers.clear()
	var leaving := clients
	clients = {}
	for id: int in leaving:
		leaving[id].close(1001, "the server stops")
		client_left.emit(id, 1001, "the server stops")
	if tcp_server.is_listening():
		tcp_server.stop()
		_say("stopped")


## Sends [param data] as text to every client whose connection is open.
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
		_say("sent to %d clients: %s" % [sent, _shown(data)])
	return result


## Announces the server from now on, whenever nobody is connected.
func start_service_discovery() -> void:
	discovery_enabled = true
	_resume_discovery()


## Stops announcing until [method start_service_discovery] or [method start_server] is called.
func stop_service_discovery() -> void:
	discovery_enabled = false
	_pause_discovery()


## Announces the server once, even while somebody is connected; does nothing when discovery is stopped.
func broadcast_now() -> void:
	if discovery_enabled and tcp_server.is_listening():
		_broadcast()


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
		_newcomers[peer] = Time.get_ticks_msec()


## Makes a client of a connection that has finished its handshake, and forgets one that does not get there.
func _welcome(peer: WebSocketPeer) -> void:
	peer.poll()
	match peer.get_ready_state():
		WebSocketPeer.STATE_OPEN:
			_newcomers.erase(peer)
			var id := _next_id
			_next_id += 1
			clients[id] = peer
			_say("client %d joined from %s" % [id, peer.get_connected_host()])
			_pause_discovery()
			client_joined.emit(id)
		WebSocketPeer.STATE_CONNECTING when Time.get_ticks_msec() - _newcomers[peer] < HANDSHAKE_TIME:
			pass
		_:
			_newcomers.erase(peer)


func _poll(id: int, peer: WebSocketPeer) -> void:
	peer.poll()
	while peer.get_available_packet_count() > 0:
		var data := peer.get_packet().get_string_from_utf8()
		if verbose:
			_say("client %d sent: %s" % [id, _shown(data)])
		model_data_received.emit(data)
	if peer.get_ready_state() == WebSocketPeer.STATE_CLOSED and clients.erase(id):
		var code := peer.get_close_code() if peer.get_close_code() >= 0 else 1006
		var reason := peer.get_close_reason()
		_say("client %d left, code %d%s" % [id, code, ": " + _shown(reason) if reason else ""])
		if clients.is_empty():
			_resume_discovery()
		client_left.emit(id, code, reason)


func _resume_discovery() -> void:
	if discovery_enabled and clients.is_empty() and tcp_server.is_listening() and _discovery_timer.is_stopped():
		_say("announcing, as nobody is connected")
		_discovery_timer.start()
		_broadcast()


func _pause_discovery() -> void:
	if not _discovery_timer.is_stopped():
		_discovery_timer.stop()
		_say("no longer announcing")


## Sends one beacon, through a fresh socket: the network may have changed since the last.
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
	# Listeners wait on the usual port; some follow the server to the one it had to take.
	for destination: int in ([DISCOVERY_PORT] if port == DISCOVERY_PORT else [DISCOVERY_PORT, port]):
		socket.set_dest_address(BROADCAST_ADDRESS, destination)
		var error := socket.put_packet(beacon.to_utf8_buffer())
		if error != _broadcast_error:
			_say("cannot announce: %s; is there a network?" % error_string(error) if error else "announcing works again")
			_broadcast_error = error
		if verbose and error == OK:
			_say("announced on port %d: %s" % [destination, beacon])
	socket.close()


## The discovery port that [param socket] now has: the first that is free. It is held for one beacon only, so that
## a client on this machine can listen there.
func _bind_discovery(socket: PacketPeerUDP) -> int:
	for port in range(DISCOVERY_PORT, DISCOVERY_PORT + PORTS_TO_TRY):
		if socket.bind(port, "0.0.0.0") == OK:
			if port != _discovery_port:
				_say("discovery now uses port %d" % port)
				_discovery_port = port
			return port
	# Without a port of its own a socket can still send.
	return DISCOVERY_PORT


## The address others reach this machine at: one of a private network, else any that is not loopback.
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


func _say(what: String) -> void:
	print("[halloo] ", what)


## Text from the network as it may be printed: cut, and without what could move the cursor or turn the line.
func _shown(text: String) -> String:
	var shown := ""
	for character in text.left(SHOWN):
		var code := character.unicode_at(0)
		if code < 32 or code in range(0x7f, 0xa0) or code in range(0x200b, 0x2070) or code == 0xfeff:
			character = "\\u%04x" % code
		shown += character
	return shown if text.length() <= SHOWN else shown + "…"
