// The packet socket as a JavaScript class. Arguments are checked by src/l2/packet-socket.ts, its only caller;
// here a wrong one throws a TypeError and nothing worse.
#include <napi.h>

#include <memory>
#include <utility>
#include <vector>

#include "packet_socket.h"

namespace {

using herald::AddressTable;
using herald::PacketSocket;

// Shared by the JavaScript object and the calls that are still on their way to it.
struct Channel {
  std::unique_ptr<PacketSocket> socket;
  bool open = true;  // of the JavaScript thread alone
};

// Gives undefined where there is no link, and null where there is no news of it.
napi_value linkValue(napi_env env, const std::optional<herald::Link>& link) {
  napi_value result, value;
  if (!link) return napi_get_null(env, &result), result;
  if (link->ifindex == 0) return napi_get_undefined(env, &result), result;
  napi_create_object(env, &result);
  const std::pair<const char*, bool> flags[] = {{"up", link->up}, {"adminUp", link->adminUp}, {"noArp", link->noArp}};
  for (const auto& [name, flag] : flags) {
    napi_get_boolean(env, flag, &value);
    napi_set_named_property(env, result, name, value);
  }
  const std::pair<const char*, int64_t> numbers[] = {
      {"ifindex", link->ifindex}, {"master", link->master}, {"mtu", link->mtu}};
  for (const auto& [name, number] : numbers) {
    napi_create_int64(env, number, &value);
    napi_set_named_property(env, result, name, value);
  }
  napi_create_buffer_copy(env, link->mac.size(), link->mac.data(), nullptr, &value);
  napi_set_named_property(env, result, "mac", value);
  return result;
}

// Runs on the JavaScript thread: gives it all that the socket's thread has put aside, in one call.
// Plain Node-API, since a C++ exception must not pass through Node.
void deliver(napi_env env, napi_value callback, void* context, void*) {
  if (env == nullptr) return;
  const std::shared_ptr<Channel> channel = *static_cast<std::shared_ptr<Channel>*>(context);
  if (!channel->open) return;
  const herald::NewsQueue::Batch batch = channel->socket->take();

  napi_value receiver, frames, frame, error;
  napi_get_undefined(env, &receiver);
  napi_create_array_with_length(env, batch.sightings.size() + batch.hellos.size(), &frames);
  uint32_t index = 0;
  const auto append = [&](const herald::Frame& bytes) {
    napi_create_buffer_copy(env, bytes.size(), bytes.data(), nullptr, &frame);
    napi_set_element(env, frames, index++, frame);
  };
  for (const herald::Frame& bytes : batch.sightings) append(bytes);
  for (const herald::Frame& bytes : batch.hellos) append(bytes);
  if (batch.error) {
    napi_create_string_utf8(env, batch.error->data(), batch.error->size(), &error);
  } else {
    napi_get_null(env, &error);
  }
  napi_value arguments[] = {frames, linkValue(env, batch.link), error};
  if (napi_call_function(env, receiver, callback, 3, arguments, nullptr) != napi_pending_exception) return;
  // Left to itself, Node would only print a deprecation warning.
  napi_get_and_clear_last_exception(env, &error);
  napi_fatal_exception(env, error);
}

void releaseContext(napi_env, void* context, void*) { delete static_cast<std::shared_ptr<Channel>*>(context); }

class PacketSocketObject : public Napi::ObjectWrap<PacketSocketObject> {
 public:
  static Napi::Function define(Napi::Env env) {
    return DefineClass(env, "PacketSocket",
                       {
                           InstanceMethod<&PacketSocketObject::setTable>("setTable"),
                           InstanceMethod<&PacketSocketObject::setWatched>("setWatched"),
                           InstanceMethod<&PacketSocketObject::renew>("renew"),
                           InstanceMethod<&PacketSocketObject::send>("send"),
                           InstanceMethod<&PacketSocketObject::discardQueued>("discardQueued"),
                           InstanceMethod<&PacketSocketObject::mac>("mac"),
                           InstanceMethod<&PacketSocketObject::counters>("counters"),
                           InstanceMethod<&PacketSocketObject::close>("close"),
                       });
  }

  // (interface: string, receive: (frames: Buffer[], link: object | undefined | null, error: string | null) => void)
  explicit PacketSocketObject(const Napi::CallbackInfo& info) : Napi::ObjectWrap<PacketSocketObject>(info) {
    const Napi::Env env = info.Env();
    if (!info[0].IsString() || !info[1].IsFunction()) throw Napi::TypeError::New(env, "expected a name and a function");
    auto context = std::make_unique<std::shared_ptr<Channel>>(channel_);
    if (napi_create_threadsafe_function(env, info[1], nullptr, Napi::String::New(env, "herald packets"), 0, 1, nullptr,
                                        releaseContext, context.get(), deliver, &receive_) != napi_ok) {
      throw Napi::Error::New(env);
    }
    context.release();
    try {
      channel_->socket = std::make_unique<PacketSocket>(info[0].As<Napi::String>().Utf8Value(), [receive = receive_] {
        napi_call_threadsafe_function(receive, nullptr, napi_tsfn_nonblocking);
      });
    } catch (const herald::OpenError& refused) {
      channel_->open = false;
      napi_release_threadsafe_function(receive_, napi_tsfn_abort);
      Napi::Error error = Napi::Error::New(env, refused.what());
      error.Set("code", refused.code);
      throw error;
    }
    // An open socket is in use, whether or not JavaScript still holds it.
    Ref();
    // Hooks run in reverse order: the thread ends before Node ends the function that the thread calls.
    napi_add_env_cleanup_hook(env, atExit, this);
  }

 private:
  static void atExit(void* self) { static_cast<PacketSocketObject*>(self)->stop(); }

  bool stop() {
    if (!channel_->open) return false;
    channel_->open = false;
    channel_->socket.reset();
    napi_release_threadsafe_function(receive_, napi_tsfn_abort);
    return true;
  }

  PacketSocket& socket(const Napi::CallbackInfo& info) {
    if (!channel_->open) throw Napi::Error::New(info.Env(), "the packet socket is closed");
    return *channel_->socket;
  }

  void setTable(const Napi::CallbackInfo& info) {
    if (!info[0].IsTypedArray()) throw Napi::TypeError::New(info.Env(), "expected a Uint8Array");
    const auto packed = info[0].As<Napi::Uint8Array>();
    socket(info).setTable(std::make_shared<const AddressTable>(packed.Data(), packed.ByteLength()));
  }

  // (heard: Uint8Array, probed: Uint8Array): addresses of 16 bytes each
  void setWatched(const Napi::CallbackInfo& info) {
    if (!info[0].IsTypedArray() || !info[1].IsTypedArray()) {
      throw Napi::TypeError::New(info.Env(), "expected two Uint8Array");
    }
    const herald::Watched watched{addresses(info[0]), addresses(info[1])};
    socket(info).setWatched(std::make_shared<const herald::Watched>(watched));
  }

  static herald::Watched::Set addresses(const Napi::Value& value) {
    const auto packed = value.As<Napi::Uint8Array>();
    herald::Watched::Set set;
    for (size_t at = 0; at + sizeof(herald::Address) <= packed.ByteLength(); at += sizeof(herald::Address)) {
      set.insert(herald::ipv6(packed.Data() + at));
    }
    return set;
  }

  void renew(const Napi::CallbackInfo& info) {
    socket(info).renew(static_cast<int64_t>(info[0].ToNumber().DoubleValue() * 1e6));
  }

  void send(const Napi::CallbackInfo& info) {
    if (!info[0].IsArray()) throw Napi::TypeError::New(info.Env(), "expected an array of Uint8Array");
    const auto frames = info[0].As<Napi::Array>();
    std::vector<iovec> vectors;
    vectors.reserve(frames.Length());
    for (uint32_t i = 0; i < frames.Length(); ++i) {
      Napi::HandleScope scope(info.Env());
      const Napi::Value frame = frames[i];
      if (!frame.IsTypedArray()) throw Napi::TypeError::New(info.Env(), "expected an array of Uint8Array");
      const auto bytes = frame.As<Napi::Uint8Array>();
      // The array holds each frame until this call returns, and no JavaScript runs before that.
      vectors.push_back(iovec{const_cast<uint8_t*>(bytes.Data()), bytes.ByteLength()});
    }
    socket(info).send(vectors);
  }

  Napi::Value discardQueued(const Napi::CallbackInfo& info) {
    return Napi::Number::New(info.Env(), static_cast<double>(socket(info).discardQueued()));
  }

  Napi::Value mac(const Napi::CallbackInfo& info) {
    const herald::Mac mac = socket(info).mac();
    return Napi::Buffer<uint8_t>::Copy(info.Env(), mac.data(), mac.size());
  }

  Napi::Value counters(const Napi::CallbackInfo& info) {
    const herald::Counters& counters = socket(info).counters();
    const auto result = Napi::Object::New(info.Env());
    for (size_t i = 0; i < herald::kCounterNames.size(); ++i) {
      result.Set(herald::kCounterNames[i], static_cast<double>(counters.get(i)));
    }
    return result;
  }

  void close(const Napi::CallbackInfo& info) {
    if (!stop()) return;
    napi_remove_env_cleanup_hook(info.Env(), atExit, this);
    Unref();
  }

  const std::shared_ptr<Channel> channel_ = std::make_shared<Channel>();
  napi_threadsafe_function receive_ = nullptr;
};

Napi::Value boottimeMs(const Napi::CallbackInfo& info) {
  return Napi::Number::New(info.Env(), static_cast<double>(herald::boottimeNs()) / 1e6);
}

Napi::Object initialize(Napi::Env env, Napi::Object exports) {
  exports.Set("PacketSocket", PacketSocketObject::define(env));
  exports.Set("boottimeMs", Napi::Function::New<boottimeMs>(env));
  return exports;
}

}  // namespace

NODE_API_MODULE(heraldlb, initialize)
