extends "res://tests/suite.gd"
## When the autoload leaves the tree, it releases its connections and ports.


func after() -> void:
	var autoload: Node = WebSocketServer.instance
	if not autoload.is_inside_tree():
		get_tree().root.add_child(autoload)
	set_beacon_interval()


func test_leaving_the_tree_closes_everything() -> void:
	# Stopped first, because the server may use the discovery port exclusively.
	WebSocketServer.stop_server()
	var listener := PacketPeerUDP.new()
	equal(listener.bind(8766), OK, "the test listens on the discovery port")
	set_beacon_interval(0.2)
	await start_server()
	var client := await connected_client()
	# Let the autoload emit the join before it leaves the tree.
	await get_tree().process_frame
	await get_tree().process_frame
	var autoload: Node = WebSocketServer.instance
	autoload.get_parent().remove_child(autoload)
	await until(client.is_closed, "the connection is closed")
	equal(client.peer.get_close_code(), 1001, "close code")
	var other := TCPServer.new()
	equal(other.listen(8765), OK, "the port is free")
	other.stop()
	# Skip a goodbye.
	await seconds(0.2)
	while listener.get_available_packet_count() > 0:
		listener.get_packet()
	await seconds(0.6)
	equal(listener.get_available_packet_count(), 0, "datagrams after the goodbye")
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.server_running, false, "server_running")
	equal(status.connected_clients, 0, "connected_clients")
	equal(status.discovery_active, false, "discovery_active")
	get_tree().root.add_child(autoload)
	await start_server()
	await connected_client()
