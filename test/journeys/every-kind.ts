/** Files of every kind, and what a guest says of them: the same words on another host mean that all arrived. */
/** What a guest says of its data, and what makes it this machine. */
export const data =
  'cat /root/data /etc/ssh/ssh_host_ed25519_key.pub /etc/machine-id; hostname; cat /sys/class/net/eth0/address'

/** Names, kinds, owners, modes, times to the nanosecond, contents and links of all that the test made, and what makes it this machine. */
export const identity = [
  data,
  "cd /srv && find . -printf '%P %y %m %U %G %s %T@ %n %l\\n' | sort | sha256sum",
  'find /srv -type f -print0 | sort -z | xargs -0 -r sha256sum | sha256sum; ls -A /etc/skel; ls /etc/issue 2>&1',
].join('; ')

/** Files of every kind, a directory of the image that is another now, and a file of it that is gone. */
export const everyKind = [
  'echo precious > /root/data; cd /srv; mkdir -p deep/er; printf one > one; chown 33:33 one; chmod 4750 one; ln one two',
  'touch -d "2001-02-03 04:05:06.123456789" one; ln -s /etc/passwd link; mkfifo pipe; truncate -s 20M hole',
  'printf x | dd of=hole bs=1 seek=9M conv=notrunc 2>/dev/null; head -c 3000000 /dev/urandom > deep/er/bytes',
  'rm /etc/issue; rm -r /etc/skel; mkdir /etc/skel; touch /etc/skel/new; chmod 0500 deep; sync',
].join('; ')
