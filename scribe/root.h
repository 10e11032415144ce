// The rendezvous point of a topic: claims the epoch, numbers messages, acknowledges publishers.
#pragma once

#include "scribe/membership.h"
#include "scribe/shared.h"
#include "scribe/stream.h"

namespace scribe {

class Root {
 public:
  Root(Shared& shared, Membership& membership, Stream& stream)
      : shared_(shared), membership_(membership), stream_(stream) {}

  // This node is the root of the topic from now on.
  void become(Context context, Topic& topic);

  // A publish frame; `routed`: delivered to this node as the root of the group.
  void publish(Context context, Handle from, const Payload& payload, bool routed);

  // Tells publishers what all children have by now.
  void report(Context context, Topic& topic);

  void tick(Context context, Topic& topic);

 private:
  void claim(Context context, Topic& topic);
  void claimed(Context context, const Key& group, std::uint32_t number,
               const Result<RootRecord>& record);
  void start(Context context, Topic& topic, const Position& claimed, bool succeeds);
  bool may_rise(Context context, Topic& topic) const;
  void rise_above_children(Context context, Topic& topic);
  void rise(Context context, Topic& topic);
  static bool two_streams(const Topic& topic);
  static void begin_hole(Topic& topic);
  void show_lack(Context context, Topic& topic);
  void accept(Context context, Topic& topic, Handle from, const Publish& publish,
              pastry::ByteView frame);
  void send_report(Context context, const Topic& topic, const PublisherKey& key,
                   PublisherSeen& seen);

  Shared& shared_;
  Membership& membership_;
  Stream& stream_;
};

}  // namespace scribe
