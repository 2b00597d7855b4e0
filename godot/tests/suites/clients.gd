extends "res://tests/suite.gd"
## Clients have ids from 1, are counted after their handshake, and are removed when they leave.

var _joined: Array[int] = []
var _left: Array[int] = []
var _codes: Array[int] = []


func before() -> void:
	await start_server()
	WebSocketServer.instance.client_joined.connect(_on_client_joined)
	WebSocketServer.instance.client_left.connect(_on_client_left)


func _on_client_joined(id: int) -> void:
	_joined.append(id)


func _on_client_left(id: int, code: int, _reason: String) -> void:
	_left.append(id)
	_codes.append(code)


func test_the_first_client_has_id_one() -> void:
	await connected_client()
	await until(func(): return arguments.has("first_client"), "client_joined is emitted")
	equal(arguments.get("first_client"), 1, "id of the first client of this run")


func test_ids_count_up_and_are_not_reused() -> void:
	var first := await connected_client()
	await connected_client()
	await until(func(): return _joined.size() == 2, "client_joined is emitted twice")
	check(_joined[0] >= 1 and _joined[1] == _joined[0] + 1, "consecutive ids: %s" % [_joined])
	first.close()
	await until(func(): return _left.size() == 1, "client_left is emitted")
	equal(_left, [_joined[0]] as Array[int], "id of the client that left")
	equal(_codes, [1000] as Array[int], "close code")
	await connected_client()
	await until(func(): return _joined.size() == 3, "client_joined is emitted for the third client")
	equal(_joined[2], _joined[1] + 1, "id of the third client")


func test_a_connection_without_handshake_is_no_client() -> void:
	var silent := StreamPeerTCP.new()
	silent.connect_to_host("127.0.0.1", WebSocketServer.get_server_status().server_port)
	await until(func(): silent.poll(); return silent.get_status() == StreamPeerTCP.STATUS_CONNECTED, "TCP connects")
	await seconds(0.3)
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.connected_clients, 0, "connected_clients")
	equal(status.discovery_active, true, "discovery_active")
	await until(func(): silent.poll(); return silent.get_status() != StreamPeerTCP.STATUS_CONNECTED,
			"the connection times out", 20.0)


func test_a_client_without_a_close_frame_leaves_with_1006() -> void:
	var client := await connected_client()
	# Drops the connection without a close frame.
	client.peer.close(-1)
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "the client is not counted any more")
	await until(func(): return _left == _joined, "client_left is emitted")
	equal(_codes, [1006] as Array[int], "close code")


func test_fifty_clients_connect_at_once() -> void:
	var clients: Array[Client] = []
	for i in 50:
		var client := Client.new()
		add_child(client)
		client.open(server_url())
		clients.append(client)
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 50, "all clients are connected", 20.0)
	WebSocketServer.send_to_all("hello, all")
	for client in clients:
		await until(func(): return client.received == (["hello, all"] as Array[String]), "each client receives the message")
