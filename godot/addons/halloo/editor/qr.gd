@tool
extends RefCounted
## QR codes for the dock.

const NATIVE_CLASS := &"HallooServer"


## The code of [param text], a pixel for each module; [code]null[/code] without the native library, which
## draws it.
static func texture(text: String) -> Texture2D:
	# Before Godot 4.4 a static function of a class cannot be called by its name.
	if text.is_empty() or not ClassDB.class_exists(NATIVE_CLASS) or not ClassDB.has_method(&"class_call_static"):
		return null
	var modules: PackedByteArray = ClassDB.call(&"class_call_static", NATIVE_CLASS, &"get_qr_modules", text)
	if modules.is_empty():
		return null
	var width := roundi(sqrt(modules.size()))
	return ImageTexture.create_from_image(Image.create_from_data(width, width, false, Image.FORMAT_L8, modules))
