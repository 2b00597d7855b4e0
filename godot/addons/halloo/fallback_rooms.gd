extends RefCounted
## The rooms of [code]fallback.gd[/code], and what a client says by the URL that it connects to.

const PATH := "/room/"
## What the name of a room begins with that only the server lets clients join.
const RESERVED := "_"
const MAX_NAME_BYTES := 64

var max_rooms := 10_000
var max_rooms_per_client := 64

## The ids of the clients in each room, as the keys of a dictionary.
var _members := {}
## The names of the rooms of each client, in the order in which it joined.
var _rooms := {}


## Adds a client to a room. Returns the errors of [method WebSocketServer.join_room].
func join(id: int, room: String) -> Error:
	var mine: Array = _rooms.get(id, [])
	if room in mine:
		return OK
	if mine.size() >= max_rooms_per_client or not _members.has(room) and _members.size() >= max_rooms:
		return ERR_CANT_ACQUIRE_RESOURCE
	_rooms[id] = mine + [room]
	if not _members.has(room):
		_members[room] = {}
	_members[room][id] = true
	return OK


## Removes a client from a room. A room without clients is gone.
func leave(id: int, room: String) -> void:
	if not _members.has(room):
		return
	_members[room].erase(id)
	if _members[room].is_empty():
		_members.erase(room)
	if _rooms.has(id):
		_rooms[id].erase(room)
		if _rooms[id].is_empty():
			_rooms.erase(id)


func leave_all(id: int) -> void:
	for room: String in _rooms.get(id, []).duplicate():
		leave(id, room)


func clear() -> void:
	_members.clear()
	_rooms.clear()


## Returns the ids of the clients in a room.
func members(room: String) -> Array:
	return _members.get(room, {}).keys()


## Returns the rooms of a client.
func of(id: int) -> PackedStringArray:
	return PackedStringArray(_rooms.get(id, []))


## Returns the number of clients in each room, ordered by name.
func counts() -> Dictionary:
	var names := _members.keys()
	names.sort()
	var result := {}
	for room: String in names:
		result[room] = _members[room].size()
	return result


## Returns why no room can have this name; empty if one can.
static func problem_of(room: String) -> String:
	if room.is_empty():
		return "the name of the room is empty; give one of 1 to %d bytes" % MAX_NAME_BYTES
	if room.to_utf8_buffer().size() > MAX_NAME_BYTES:
		return "the name of the room has more than %d bytes; choose a shorter one" % MAX_NAME_BYTES
	return ""


## Returns the room that a client joins by this path, which is empty if it joins none, and why it cannot, which is empty if it
## can. Each is short enough for the reason in a close frame.
static func in_path(path: String) -> Array[String]:
	if not path.begins_with(PATH):
		return ["", ""]
	var encoded := path.trim_prefix(PATH)
	if encoded.contains("/"):
		return ["", "the name of the room is one part of the path; write a / in it as %2F"]
	var bytes := _decoded(encoded)
	if not _is_utf8(bytes):
		return ["", "the name of the room is not UTF-8; percent-encode its UTF-8 bytes"]
	var room := bytes.get_string_from_utf8()
	if room.begins_with(RESERVED):
		return ["", "a room whose name begins with _ can only be joined by the server; choose another name"]
	return [room, problem_of(room)]


## Returns the path in a URL, percent-encoded.
static func path_of(url: String) -> String:
	return _target(url).get_slice("?", 0)


## Returns the query in a URL as strings by their keys, without a token. Of several values for a key, the first.
static func query_of(url: String) -> Dictionary:
	var query := {}
	var target := _target(url)
	var begin := target.find("?")
	for pair in (target.substr(begin + 1) if begin >= 0 else "").split("&", false):
		var key := _text(pair.get_slice("=", 0))
		if key.to_lower() != "token" and not query.has(key):
			query[key] = _text(pair.substr(pair.find("=") + 1)) if pair.contains("=") else ""
	return query


## Returns the path and query of [code]ws://HOST/PATH?QUERY[/code].
static func _target(url: String) -> String:
	var rest := url.substr(url.find("://") + 3)
	var begin := rest.find("/")
	return rest.substr(begin) if begin >= 0 else "/"


## Decodes a key or a value of a query. What is not UTF-8 is left out, because the engine would print an error for each.
static func _text(encoded: String) -> String:
	var bytes := _decoded(encoded.replace("+", " "))
	return bytes.get_string_from_utf8() if _is_utf8(bytes) else ""


## Returns the bytes that a percent-encoded text stands for. A % without two hexadecimal digits stands for itself.
static func _decoded(encoded: String) -> PackedByteArray:
	var bytes := PackedByteArray()
	var source := encoded.to_utf8_buffer()
	var i := 0
	while i < source.size():
		var digits := source.slice(i + 1, i + 3).get_string_from_ascii() if source[i] == 0x25 else ""
		if digits.length() == 2 and digits.is_valid_hex_number():
			bytes.append(digits.hex_to_int())
			i += 3
		else:
			bytes.append(source[i])
			i += 1
	return bytes


static func _is_utf8(bytes: PackedByteArray) -> bool:
	var i := 0
	while i < bytes.size():
		var first := bytes[i]
		var more := 0 if first < 0x80 else 1 if first >= 0xC2 and first < 0xE0 else 2 if first >= 0xE0 and first < 0xF0 \
				else 3 if first >= 0xF0 and first < 0xF5 else -1
		# The engine ends a string at a zero.
		if more < 0 or first == 0 or i + more >= bytes.size():
			return false
		for byte in bytes.slice(i + 1, i + 1 + more):
			if byte & 0xC0 != 0x80:
				return false
		var second := bytes[i + 1] if more else 0
		# Overlong forms, surrogates, and what is above U+10FFFF.
		if first == 0xE0 and second < 0xA0 or first == 0xED and second > 0x9F or first == 0xF0 and second < 0x90 \
				or first == 0xF4 and second > 0x8F:
			return false
		i += more + 1
	return true
