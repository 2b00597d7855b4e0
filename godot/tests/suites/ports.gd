extends "res://tests/suite.gd"
## Port 8765, otherwise the next nine; a running server is stopped before it starts again.

var _others: Array[TCPServer] = []


func before() -> void:
	WebSocketServer.stop_server()


func after() -> void:
	_others.clear()


## Listens on ports like another program.
func _occupy(ports: Array) -> void:
	for port: int in ports:
		var other := TCPServer.new()
		equal(other.listen(port), OK, "the test listens on port %d" % port)
		_others.append(other)


func test_the_default_port_is_8765() -> void:
	equal(WebSocketServer.start_server(8765), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 8765, "port")
	await connected_client()


func test_falls_back_to_the_next_free_port() -> void:
	_occupy([8765, 8766])
	equal(WebSocketServer.start_server(8765), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 8767, "port")
	await connected_client()


func test_ports_that_web_browsers_block_are_skipped() -> void:
	_occupy([6664])
	equal(WebSocketServer.start_server(6664), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 6670, "the port after 6665 to 6669")


func test_falls_back_to_the_last_of_ten_ports() -> void:
	_occupy(range(8765, 8774))
	equal(WebSocketServer.start_server(8765), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 8774, "port")


func test_ten_ports_in_use_are_an_error() -> void:
	_occupy(range(8765, 8775))
	equal(ERR_ALREADY_IN_USE, 22, "documented value of ERR_ALREADY_IN_USE")
	equal(int(WebSocketServer.start_server(8765)), 22, "start")
	equal(WebSocketServer.get_server_status().server_running, false, "server_running")
	_others.clear()
	equal(WebSocketServer.start_server(8765), OK, "start when the ports are free again")


func test_start_server_stops_the_running_server() -> void:
	equal(WebSocketServer.start_server(8765), OK, "start")
	var client := await connected_client()
	equal(WebSocketServer.start_server(8765), OK, "start again")
	equal(WebSocketServer.get_server_status().server_port, 8765, "the same port, without a fallback")
	await until(client.is_closed, "the connection to the old server is closed")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0,
			"the old client is not counted any more")
	await connected_client()


func test_port_zero_uses_any_free_port() -> void:
	equal(WebSocketServer.start_server(0), OK, "start")
	check(WebSocketServer.get_server_status().server_port > 0, "the system assigns a port")
	await connected_client()
