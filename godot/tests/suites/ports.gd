extends "res://tests/suite.gd"
## Port 8765, else the nine after it; and a server that runs is stopped before it starts again.

var _others: Array[TCPServer] = []


func before() -> void:
	WebSocketServer.stop_server()


func after() -> void:
	_others.clear()


## Another program that has the ports.
func _occupy(ports: Array) -> void:
	for port: int in ports:
		var other := TCPServer.new()
		equal(other.listen(port), OK, "the test has port %d" % port)
		_others.append(other)


func test_the_usual_one() -> void:
	equal(WebSocketServer.start_server(8765), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 8765, "port")
	await connected_client()


func test_fall_back_to_the_next() -> void:
	_occupy([8765, 8766])
	equal(WebSocketServer.start_server(8765), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 8767, "port")
	await connected_client()


func test_fall_back_as_far_as_the_last() -> void:
	_occupy(range(8765, 8774))
	equal(WebSocketServer.start_server(8765), OK, "start")
	equal(WebSocketServer.get_server_status().server_port, 8774, "port")


func test_all_in_use() -> void:
	_occupy(range(8765, 8775))
	equal(ERR_ALREADY_IN_USE, 22, "the documented number")
	equal(int(WebSocketServer.start_server(8765)), 22, "start")
	equal(WebSocketServer.get_server_status().server_running, false, "running")
	_others.clear()
	equal(WebSocketServer.start_server(8765), OK, "start, with the ports free again")


func test_start_stops_what_ran() -> void:
	equal(WebSocketServer.start_server(8765), OK, "start")
	var client := await connected_client()
	equal(WebSocketServer.start_server(8765), OK, "start again")
	equal(WebSocketServer.get_server_status().server_port, 8765, "the port, not one that it had to move to")
	await until(client.is_closed, "the client of the old server is closed")
	await until(func(): return WebSocketServer.get_server_status().connected_clients == 0, "and no longer counted")
	await connected_client()


func test_any_free_one() -> void:
	equal(WebSocketServer.start_server(0), OK, "start")
	check(WebSocketServer.get_server_status().server_port > 0, "the system has chosen a port")
	await connected_client()
