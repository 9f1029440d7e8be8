/* Looks a name up, again and again in one process, and prints what it is told. */

#include <arpa/inet.h>
#include <netdb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <unistd.h>

int main(int count, char **arguments) {
  struct addrinfo hints = {0}, *found;
  char text[INET_ADDRSTRLEN];
  if (count != 2) return 2;
  hints.ai_family = AF_INET;
  hints.ai_socktype = SOCK_STREAM;
  for (;;) {
    int fault = getaddrinfo(arguments[1], 0, &hints, &found);
    if (fault) {
      puts(gai_strerror(fault));
    } else {
      puts(inet_ntop(AF_INET, &((struct sockaddr_in *)found->ai_addr)->sin_addr, text, sizeof text));
      freeaddrinfo(found);
    }
    fflush(stdout);
    usleep(50000);
  }
}
