"""The gRPC methods of speech and of the text in pictures."""

from typing import Final

from google.protobuf import empty_pb2

from emulator.yandex.grpc.method import Method
from emulator.yandex.protos import operation_pb2
from emulator.yandex.protos.speech import recognition_options_pb2, recognition_pb2, synthesis_pb2, text_recognition_pb2

_STT: Final = "speechkit.stt.v3"
_ASYNC: Final = f"{_STT}.AsyncRecognizer"
_TTS: Final = "speechkit.tts.v3.Synthesizer"
_OCR: Final = "yandex.cloud.ai.ocr.v1"
_R: Final = recognition_pb2
_T: Final = text_recognition_pb2

METHODS: Final = (
    Method(
        f"{_STT}.Recognizer", "RecognizeStreaming", recognition_options_pb2.StreamingRequest, _R.StreamingResponse,
        "POST", f"/{_STT}.Recognizer/RecognizeStreaming", streams=True, listens=True,
    ),
    Method(
        _ASYNC, "RecognizeFile", recognition_options_pb2.RecognizeFileRequest, operation_pb2.Operation,
        "POST", "/stt/v3/recognizeFileAsync",
    ),
    Method(
        _ASYNC, "GetRecognition", _R.GetRecognitionRequest, _R.StreamingResponse,
        "GET", "/stt/v3/getRecognition", streams=True,
    ),
    Method(
        _ASYNC, "DeleteRecognition", _R.DeleteRecognitionRequest, empty_pb2.Empty,
        "DELETE", "/stt/v3/deleteRecognition",
    ),
    Method(
        _TTS, "UtteranceSynthesis", synthesis_pb2.UtteranceSynthesisRequest, synthesis_pb2.UtteranceSynthesisResponse,
        "POST", "/tts/v3/utteranceSynthesis", streams=True,
    ),
    Method(
        _TTS, "StreamSynthesis", synthesis_pb2.StreamSynthesisRequest, synthesis_pb2.StreamSynthesisResponse,
        "POST", f"/{_TTS}/StreamSynthesis", streams=True, listens=True,
    ),
    Method(
        f"{_OCR}.TextRecognitionService", "Recognize", _T.RecognizeTextRequest, _T.RecognizeTextResponse,
        "POST", "/ocr/v1/recognizeText", streams=True,
    ),
    Method(
        f"{_OCR}.TextRecognitionAsyncService", "Recognize", _T.RecognizeTextRequest, operation_pb2.Operation,
        "POST", "/ocr/v1/recognizeTextAsync",
    ),
    Method(
        f"{_OCR}.TextRecognitionAsyncService", "GetRecognition", _T.GetRecognitionRequest, _T.RecognizeTextResponse,
        "GET", "/ocr/v1/getRecognition", streams=True,
    ),
)  # fmt: skip
