extends "res://tests/suite.gd"
## When the autoload leaves the tree, nothing of it stays behind.


func after() -> void:
	var autoload: Node = WebSocketServer.instance
	if not autoload.is_inside_tree():
		get_tree().root.add_child(autoload)
	set_beacon_interval()


func test_leaving_the_tree_closes_everything() -> void:
	# First, for the server may hold the port for itself.
	WebSocketServer.stop_server()
	var listener := PacketPeerUDP.new()
	equal(listener.bind(8766), OK, "the test listens on the discovery port")
	set_beacon_interval(0.2)
	await started()
	var client := await connected_client()
	# What is counted already is told in a frame; later nobody would be told.
	await get_tree().process_frame
	await get_tree().process_frame
	var autoload: Node = WebSocketServer.instance
	autoload.get_parent().remove_child(autoload)
	await until(client.is_closed, "the client is closed")
	equal(client.peer.get_close_code(), 1001, "close code")
	var other := TCPServer.new()
	equal(other.listen(8765), OK, "the port is free")
	other.stop()
	# It may have said goodbye.
	await seconds(0.2)
	while listener.get_available_packet_count() > 0:
		listener.get_packet()
	await seconds(0.6)
	equal(listener.get_available_packet_count(), 0, "datagrams afterwards")
	var status: Dictionary = WebSocketServer.get_server_status()
	equal(status.server_running, false, "running")
	equal(status.connected_clients, 0, "clients")
	equal(status.discovery_active, false, "announcing")
	get_tree().root.add_child(autoload)
	await started()
	await connected_client()
