extends Node
## The WebSocket server of this program, as the autoload [code]WebSocketServer[/code].

signal model_data_received(data: String)
signal client_joined(id: int)
signal client_left(id: int, code: int, reason: String)

static var instance: Node

var _server: Node


func _ready() -> void:
	instance = self
	process_mode = PROCESS_MODE_ALWAYS
	_server = preload("fallback.gd").new()
	_server.model_data_received.connect(model_data_received.emit)
	_server.client_joined.connect(client_joined.emit)
	_server.client_left.connect(client_left.emit)
	add_child(_server)
	start_server()


static func start_server(port := 8765) -> Error:
	return instance._server.start_server(port)


static func stop_server() -> void:
	instance._server.stop_server()


static func send_to_all(data: String) -> Error:
	return instance._server.send_to_all(data)


## [param method] is a Callable, or the name of a method of [param receiver].
static func connect_to_signal(receiver: Object, method: Variant) -> Error:
	var callable: Callable = method if method is Callable else Callable(receiver, method)
	if instance.model_data_received.is_connected(callable):
		return OK
	return instance.model_data_received.connect(callable)


static func start_service_discovery() -> void:
	instance._server.start_service_discovery()


static func stop_service_discovery() -> void:
	instance._server.stop_service_discovery()


static func broadcast_now() -> void:
	instance._server.broadcast_now()


static func get_server_status() -> Dictionary:
	return instance._server.get_server_status()
